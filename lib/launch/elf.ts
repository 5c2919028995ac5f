/**
 * ELF programs and libraries: what they are made for.
 *
 * @module
 */
import { existsSync, statSync } from "node:fs";
import { basename } from "node:path";
import { isPermissionRefusal, permissionError } from "../../ffi/errors.ts";
import { ElfError, type ElfFile, readElf } from "../binary/elf.ts";
import { LaunchError } from "../errors.ts";
import { ELF_RULES } from "./elf-rules.ts";
import type { BinaryFormat, LaunchHost, LibcName, PreloadLibrary, ProgramFile } from "./types.ts";

/** The dynamic linkers, by file name, of each C library. */
const LINKERS: readonly (readonly [RegExp, LibcName])[] = [
  [/^ld-musl-.+\.so\.\d+$/, "musl"],
  // glibc's: ld-linux-x86-64.so.2, ld-linux.so.2, ld64.so.1 (ppc64, s390x), ld.so.1 (mips).
  [/^ld(-linux.*|64)?\.so\.\d+$/, "glibc"],
];

/** The names under which libraries ask for each C library. */
const LIBRARIES: readonly (readonly [RegExp, LibcName])[] = [
  [/^libc\.musl-.+\.so\.\d+$/, "musl"],
  [/^libc\.so$/, "musl"],
  [/^libc\.so\.6(\.\d+)?$/, "glibc"],
  [/^ld-musl-.+\.so\.\d+$/, "musl"],
];

/** Why a library's file could not be opened, by the system's code. */
const LIBRARY_FAULTS: Readonly<Record<string, string>> = {
  ENOENT: "it does not exist. Build it, or give the path of another",
  ENOTDIR: "it does not exist. Build it, or give the path of another",
  EACCES: "this user may not read it. Change its mode, or give the path of another",
  EISDIR: "it is a directory. Give the path of the library in it",
};

function recognises(head: Uint8Array): boolean {
  return head[0] === 0x7f && head[1] === 0x45 && head[2] === 0x4c && head[3] === 0x46;
}

function readProgram(path: string, file: string, host: LaunchHost): ProgramFile {
  const elf = readProgramElf(path, file);
  const { mode, uid, gid } = statSync(file);
  return {
    path,
    format: "elf",
    bits: elf.bits,
    arch: elf.arch,
    littleEndian: elf.littleEndian,
    libc: elf.interpreter === null ? null : match(LINKERS, basename(elf.interpreter)),
    interpreter: elf.interpreter,
    interpreterExists: elf.interpreter === null || existsSync(elf.interpreter),
    mode,
    uid,
    gid,
    fileCapabilities: host.fileCapabilities(file),
  };
}

function readProgramElf(path: string, file: string): ElfFile {
  try {
    return readElf(file);
  } catch (error) {
    if (error instanceof ElfError) {
      throw new LaunchError(
        `Cannot run "${path}": its ELF file is cut off or damaged. Install the program again.`,
        126,
        { cause: error },
      );
    }
    if (errorCode(error) === "EACCES") {
      throw new LaunchError(
        `Cannot check "${path}" before it is run: this user may execute it but not read it. ` +
          "Give this user the right to read it.",
        125,
        { cause: error },
      );
    }
    throw permission(file, error);
  }
}

function readLibrary(path: string, libc: LibcName = null): PreloadLibrary {
  const elf = readLibraryElf(path);
  if (elf.type !== "shared" || !elf.dynamic) {
    throw new LaunchError(
      `Cannot preload "${path}": it is an ELF file, but not a shared library (${elf.type}). ` +
        "Give the path of a shared library.",
    );
  }
  const asked = elf.needed.map((name) => match(LIBRARIES, name)).find((name) => name !== null);
  return {
    path,
    format: "elf",
    bits: elf.bits,
    arch: elf.arch,
    littleEndian: elf.littleEndian,
    libc: asked ?? libc,
  };
}

function readLibraryElf(path: string): ElfFile {
  try {
    // Opening a named pipe would wait for a writer, perhaps for ever.
    if (!statSync(path).isFile()) {
      throw new LaunchError(
        `Cannot preload "${path}": it is not a regular file. Give the path of a shared library.`,
      );
    }
    return readElf(path);
  } catch (error) {
    if (error instanceof LaunchError) throw error;
    if (error instanceof ElfError) {
      const why = error.message.endsWith("not an ELF file.")
        ? "it is not an ELF shared library. Give the path of one"
        : "its ELF file is cut off or damaged. Build or install it again";
      throw new LaunchError(`Cannot preload "${path}": ${why}.`, 125, { cause: error });
    }
    const fault = LIBRARY_FAULTS[errorCode(error)];
    if (fault === undefined) throw permission(path, error);
    throw new LaunchError(`Cannot preload "${path}": ${fault}.`, 125, { cause: error });
  }
}

function permission(path: string, error: unknown): unknown {
  return isPermissionRefusal(error)
    ? permissionError(`read "${path}"`, "--allow-read", error)
    : error;
}

function match(table: readonly (readonly [RegExp, LibcName])[], name: string): LibcName {
  return table.find(([pattern]) => pattern.test(name))?.[1] ?? null;
}

function errorCode(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

/** ELF: Linux, and the other Unix systems but macOS. */
export const ELF: BinaryFormat = { recognises, readProgram, readLibrary, rules: ELF_RULES };
