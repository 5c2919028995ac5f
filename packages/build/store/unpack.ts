/**
 * Unpacking source archives.
 *
 * @module
 */
import { closeSync, cpSync, mkdirSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { BuildError } from "../../../lib/errors.ts";
import { runTool } from "../toolchain/shell.ts";
import { requirePrograms } from "../toolchain/compiler.ts";
import { isSource } from "./hashes.ts";

interface Compression {
  readonly program: string;
  readonly magic: readonly number[];
  readonly option: string;
}

/** By the first bytes: names are wrong more often. */
const COMPRESSIONS: readonly Compression[] = [
  { program: "gzip", magic: [0x1f, 0x8b], option: "--gzip" },
  { program: "bzip2", magic: [0x42, 0x5a, 0x68], option: "--bzip2" },
  { program: "xz", magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a], option: "--xz" },
];

/**
 * Unpacks an archive, or copies a directory, into a directory that is made for it.
 *
 * @returns The source's root: the one directory that the archive holds.
 * @throws {BuildError} when a program is missing, or it is no archive.
 */
export async function unpack(
  path: string,
  directory: string,
  environment: Readonly<Record<string, string | undefined>>,
  signal?: AbortSignal,
): Promise<string> {
  mkdirSync(directory, { recursive: true });
  if (statSync(path).isDirectory()) {
    cpSync(path, directory, {
      recursive: true,
      filter: (from) => from === path || isSource(from),
    });
    return directory;
  }
  const head = firstBytes(path);
  const compression = COMPRESSIONS.find(({ magic }) =>
    magic.every((byte, index) => head[index] === byte)
  );
  if (compression === undefined) {
    throw new BuildError(
      `Cannot unpack "${path}": it must be a tar archive compressed by gzip, bzip2 or xz.`,
    );
  }
  await requirePrograms(["tar", compression.program], environment, `unpack "${path}"`);
  await runTool(["tar", compression.option, "-xf", path, "-C", directory], {
    cwd: directory,
    environment,
    signal,
    action: `unpack "${path}"`,
  });
  const entries = readdirSync(directory);
  return entries.length === 1 && entries[0] !== undefined ? join(directory, entries[0]) : directory;
}

function firstBytes(path: string): Uint8Array {
  const bytes = new Uint8Array(8);
  const descriptor = openSync(path, "r");
  try {
    readSync(descriptor, bytes, 0, bytes.length, 0);
  } finally {
    closeSync(descriptor);
  }
  return bytes;
}
