/**
 * Programs, libraries and scripts for the tests of launching, made when they are needed.
 *
 * @module
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LaunchError } from "../../lib/errors.ts";
import { compileTo } from "./built-once.ts";
import { temporaryDirectory } from "./compile.ts";

const SOURCE = `#include <stdio.h>
#include <sys/auxv.h>
int main(int argc, char **argv) {
  printf("%lu", getauxval(23));
  for (int i = 0; i < argc; i++) printf("\\n%s", argv[i]);
  return 0;
}
`;

const E_MACHINE = 18;
const ARM64 = 183;

/** A directory of fixtures. */
export interface LaunchFixtures {
  /** The directory. */
  readonly directory: string;
  /** A dynamic program; it prints AT_SECURE and its arguments, a line each. */
  readonly program: string;
  /** The dynamic linker that it asks for. */
  readonly interpreter: string;
  /** A shared library that needs libc. */
  readonly library: string;
  /** Writes an executable file and gives its path. */
  script(name: string, text: string, mode?: number): string;
  /** Writes a changed copy of a file and gives its path. */
  patched(name: string, from: string, change: (bytes: Uint8Array) => Uint8Array): string;
}

/** Makes the directory with its program and library. */
export function launchFixtures(): LaunchFixtures {
  const directory = temporaryDirectory();
  const source = join(directory, "arguments.c");
  writeFileSync(source, SOURCE);
  const program = join(directory, "arguments");
  compileTo(program, { sources: [source] });
  const library = join(directory, "libexample.so");
  compileTo(library, { options: ["-shared", "-fPIC", "-Wl,--no-as-needed"], sources: [source] });
  return {
    directory,
    program,
    interpreter: interpreterOf(program),
    library,
    script(name, text, mode = 0o755) {
      const path = join(directory, name);
      writeFileSync(path, text, { mode });
      return path;
    },
    patched(name, from, change) {
      const path = join(directory, name);
      copyFileSync(from, path);
      writeFileSync(path, change(readFileSync(from)));
      return path;
    },
  };
}

function interpreterOf(program: string): string {
  const text = execFileSync("readelf", ["-lW", program], { encoding: "utf8" });
  const path = /interpreter: ([^\]]+)\]/.exec(text)?.[1];
  if (path === undefined) throw new Error(`readelf shows no interpreter for "${program}"`);
  return path;
}

/** Makes the program in these bytes one for another processor. */
export function asArm64(bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  new DataView(copy.buffer).setUint16(E_MACHINE, ARM64, true);
  return copy;
}

/** Replaces one string in these bytes by another that is not longer. */
export function replaceString(bytes: Uint8Array, from: string, to: string): Uint8Array {
  if (to.length > from.length) throw new RangeError(`"${to}" is longer than "${from}"`);
  const copy = Uint8Array.from(bytes);
  const encoder = new TextEncoder();
  const wanted = encoder.encode(`${from}\0`);
  const at = copy.findIndex((_, index) => wanted.every((byte, i) => copy[index + i] === byte));
  if (at === -1) throw new Error(`"${from}" is not in these bytes`);
  copy.fill(0, at, at + wanted.length);
  copy.set(encoder.encode(to), at);
  return copy;
}

/** What a crafted ELF file is to say. */
export interface CraftedElf {
  /** The word size. */
  readonly bits: 32 | 64;
  /** The processor (`EM_*`). */
  readonly machine: number;
  /** The dynamic linker; `null` for a static program. */
  readonly interpreter: string | null;
  /** Whether the highest byte comes first. */
  readonly bigEndian?: boolean;
}

/** The bytes of a program that has headers and nothing else. */
export function craftElf(crafted: CraftedElf): Uint8Array {
  const wide = crafted.bits === 64;
  const little = crafted.bigEndian !== true;
  const headerSize = wide ? 64 : 52;
  const entrySize = wide ? 56 : 32;
  const text = new TextEncoder().encode(`${crafted.interpreter ?? ""}\0`);
  const at = headerSize + 2 * entrySize;
  const bytes = new Uint8Array(at + text.length);
  const view = new DataView(bytes.buffer);
  const word = (offset: number, value: number): void =>
    wide ? view.setBigUint64(offset, BigInt(value), little) : view.setUint32(offset, value, little);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, little ? 1 : 2, 1]);
  bytes.set(text, at);
  view.setUint16(16, 2, little);
  view.setUint16(E_MACHINE, crafted.machine, little);
  view.setUint32(20, 1, little);
  word(wide ? 32 : 28, headerSize);
  view.setUint16(wide ? 52 : 40, headerSize, little);
  view.setUint16(wide ? 54 : 42, entrySize, little);
  view.setUint16(wide ? 56 : 44, crafted.interpreter === null ? 1 : 2, little);
  const segment = (index: number, type: number, offset: number, size: number): void => {
    const start = headerSize + index * entrySize;
    view.setUint32(start, type, little);
    word(start + (wide ? 8 : 4), offset);
    word(start + (wide ? 32 : 16), size);
    word(start + (wide ? 40 : 20), size);
  };
  segment(0, 1, 0, bytes.length);
  segment(1, 3, at, text.length);
  return bytes;
}

/** That work refuses a launch, with an exit status and a message. */
export function refuses(work: () => unknown, status: number, message: RegExp): void {
  assert.throws(work, (error: unknown) => {
    assert.ok(error instanceof LaunchError, String(error));
    assert.match(error.message, message);
    assert.equal(error.status, status, error.message);
    assert.equal(error.code, "ERR_OFFHEAP_LAUNCH");
    return true;
  });
}
