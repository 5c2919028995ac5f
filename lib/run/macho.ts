/**
 * Mach-O programs and libraries: what they are made for, and what their signatures allow.
 *
 * @module
 */
import { realpathSync } from "node:fs";
import process from "node:process";
import { MachOError, type MachOFile, readMachO } from "../binary/macho.ts";
import { LaunchError } from "../errors.ts";
import { openingFault, preloadFault, requireRegularLibrary } from "./binary-faults.ts";
import type { OpenedFile } from "./checked-file.ts";
import { MACH_O_RULES } from "./macho-rules.ts";
import type { BinaryFormat, DyldFacts, LaunchHost, PreloadLibrary, ProgramFile } from "./types.ts";

/** The magic numbers of files for one processor, of 64 and 32 bits, in both byte orders. */
const SINGLE: ReadonlySet<number> = new Set([0xcffaedfe, 0xcefaedfe, 0xfeedfacf, 0xfeedface]);
/** Those of universal files, which Java's class files share: theirs go on with a larger number. */
const UNIVERSAL: ReadonlySet<number> = new Set([0xcafebabe, 0xcafebabf]);
const MIN_JAVA_VERSION = 45;

/** macOS's dynamic linker, which every program asks for. */
const LINKER = "/usr/lib/dyld";

function recognises(head: Uint8Array): boolean {
  if (head.length < 8) return false;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const magic = view.getUint32(0);
  return SINGLE.has(magic) || (UNIVERSAL.has(magic) && view.getUint32(4) < MIN_JAVA_VERSION);
}

/** The part of a universal file that runs on a processor; of another file, the one there is. */
function readFor(path: string, arch: string): MachOFile {
  const any = readMachO(path);
  const wanted = any.arch !== arch && any.slices.some((slice) => slice.arch === arch);
  return wanted ? readMachO(path, arch) : any;
}

function dyldFacts(file: string, { cpu, restrictSection, signature }: MachOFile): DyldFacts {
  const hardened = signature?.hardenedRuntime ?? false;
  const validated = hardened && !(signature?.disablesLibraryValidation ?? false);
  return {
    realPath: realpathSync(file),
    cpu,
    restricted: restrictSection || (signature?.restricted ?? false),
    platformBinary: signature?.platformBinary ?? false,
    hardenedRuntime: hardened,
    allowsDyldVariables: signature?.allowsDyldVariables ?? false,
    libraryValidation: validated || (signature?.libraryValidation ?? false),
    team: signature?.team ?? null,
  };
}

function readProgram(path: string, { file, stats }: OpenedFile, host: LaunchHost): ProgramFile {
  const program = readProgramMachO(path, file, host.arch ?? process.arch);
  const { mode, uid, gid } = stats;
  return {
    path,
    format: "macho",
    bits: 64,
    arch: program.arch,
    littleEndian: true,
    libc: null,
    interpreter: LINKER,
    interpreterExists: true,
    mode,
    uid,
    gid,
    fileCapabilities: false,
    dyld: dyldFacts(file, program),
  };
}

function readProgramMachO(path: string, file: string, arch: string): MachOFile {
  try {
    const program = readFor(file, arch);
    if (program.type === "executable") return program;
    throw new LaunchError(
      `Cannot run "${path}": it is a Mach-O file, but not a program (${program.type}). ` +
        "Give the path of a program.",
      126,
    );
  } catch (error) {
    if (error instanceof LaunchError) throw error;
    if (!(error instanceof MachOError)) throw openingFault(path, file, error);
    const why = error.message.includes("32 bits")
      ? "it is a program of 32 bits, which macOS does not run any more. Use a build of 64 bits"
      : "its Mach-O file is truncated or damaged. Install the program again";
    throw new LaunchError(`Cannot run "${path}": ${why}.`, 126, { cause: error });
  }
}

function readLibrary(path: string): PreloadLibrary {
  const library = readLibraryMachO(path);
  if (library.type !== "dylib") {
    throw new LaunchError(
      `Cannot preload "${path}": it is a Mach-O file, but not a shared library (${library.type}). ` +
        "Give the path of a shared library.",
    );
  }
  return {
    path,
    format: "macho",
    bits: 64,
    arch: library.arch,
    littleEndian: true,
    libc: null,
    dyld: { slices: library.slices, team: library.signature?.team ?? null },
  };
}

function readLibraryMachO(path: string): MachOFile {
  try {
    requireRegularLibrary(path);
    return readMachO(path);
  } catch (error) {
    if (error instanceof LaunchError) throw error;
    if (!(error instanceof MachOError)) throw preloadFault(path, error);
    const why = error.message.includes("not a Mach-O file")
      ? "it is not a Mach-O shared library. Give the path of one"
      : error.message.includes("32 bits")
      ? "it is a library of 32 bits. Give the path of one of 64 bits"
      : "its Mach-O file is truncated or damaged. Build or install it again";
    throw new LaunchError(`Cannot preload "${path}": ${why}.`, 125, { cause: error });
  }
}

/** Mach-O: macOS. */
export const MACH_O: BinaryFormat = { recognises, readProgram, readLibrary, rules: MACH_O_RULES };
