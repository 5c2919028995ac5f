/**
 * ELF programs and libraries: what they are made for.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { ElfError, type ElfFile, readElf } from "../binary/elf.ts";
import { LaunchError } from "../errors.ts";
import { type LibcName, libcOfInterpreter } from "../library/target.ts";
import { preloadFault, requireRegularLibrary } from "./binary-faults.ts";
import type { OpenedFile } from "./checked-file.ts";
import { ELF_RULES } from "./elf-rules.ts";
import type { BinaryFormat, LaunchHost, PreloadLibrary, ProgramFile } from "./types.ts";

/** The names under which libraries ask for each C library. */
const LIBRARIES: readonly (readonly [RegExp, LibcName])[] = [
  [/^libc\.musl-.+\.so\.\d+$/, "musl"],
  [/^libc\.so$/, "musl"],
  [/^libc\.so\.6(\.\d+)?$/, "glibc"],
  [/^ld-musl-.+\.so\.\d+$/, "musl"],
];

/** The sanitizers that serve `malloc`, as gcc and clang name them, by their libraries. */
const SANITIZERS: readonly (readonly [RegExp, string])[] = [
  [/^lib(?:clang_rt\.)?asan\b/, "address"],
  [/^lib(?:clang_rt\.)?hwasan\b/, "hwaddress"],
  [/^lib(?:clang_rt\.)?lsan\b/, "leak"],
  [/^lib(?:clang_rt\.)?tsan\b/, "thread"],
];

function recognises(head: Uint8Array): boolean {
  return head[0] === 0x7f && head[1] === 0x45 && head[2] === 0x4c && head[3] === 0x46;
}

function readProgram(path: string, opened: OpenedFile, host: LaunchHost): ProgramFile {
  const elf = readProgramElf(path, opened);
  const { mode, uid, gid } = opened.stats;
  return {
    path,
    format: "elf",
    bits: elf.bits,
    arch: elf.arch,
    littleEndian: elf.littleEndian,
    libc: elf.interpreter === null ? null : libcOfInterpreter(elf.interpreter),
    interpreter: elf.interpreter,
    interpreterExists: elf.interpreter === null || existsSync(elf.interpreter),
    mode,
    uid,
    gid,
    fileCapabilities: host.fileCapabilities(opened.file),
    sanitizer: findFirst(SANITIZERS, elf.needed),
  };
}

function readProgramElf(path: string, { source }: OpenedFile): ElfFile {
  try {
    return readElf(source);
  } catch (error) {
    if (!(error instanceof ElfError)) throw error;
    throw new LaunchError(
      `Cannot run "${path}": its ELF file is truncated or damaged. Install the program again.`,
      126,
      { cause: error },
    );
  }
}

function readLibrary(path: string, libc: LibcName | null = null): PreloadLibrary {
  const elf = readLibraryElf(path);
  if (elf.type !== "shared" || !elf.dynamic) {
    throw new LaunchError(
      `Cannot preload "${path}": it is an ELF file, but not a shared library (${elf.type}). ` +
        "Give the path of a shared library.",
    );
  }
  return {
    path,
    format: "elf",
    bits: elf.bits,
    arch: elf.arch,
    littleEndian: elf.littleEndian,
    libc: findFirst(LIBRARIES, elf.needed) ?? libc,
  };
}

function readLibraryElf(path: string): ElfFile {
  try {
    requireRegularLibrary(path);
    return readElf(path);
  } catch (error) {
    if (error instanceof LaunchError) throw error;
    if (error instanceof ElfError) {
      const why = error.message.endsWith("not an ELF file.")
        ? "it is not an ELF shared library. Give the path of one"
        : "its ELF file is truncated or damaged. Build or install it again";
      throw new LaunchError(`Cannot preload "${path}": ${why}.`, 125, { cause: error });
    }
    throw preloadFault(path, error);
  }
}

/** What a table has for the first of these names that it knows. */
function findFirst<T>(
  table: readonly (readonly [RegExp, T])[],
  names: readonly string[],
): T | undefined {
  const rows = names.map((name) => table.find(([pattern]) => pattern.test(name)));
  return rows.find((row) => row !== undefined)?.[1];
}

/** ELF: Linux, and the other Unix systems but macOS. */
export const ELF: BinaryFormat = { recognises, readProgram, readLibrary, rules: ELF_RULES };
