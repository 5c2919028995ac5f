/**
 * Whether a library's file is truncated or damaged: the dynamic linker maps one without a word,
 * and the whole process then dies of the first access past its end.
 *
 * @module
 */
import { ElfError, readElf } from "../binary/elf.ts";
import { MachOError, readMachO } from "../binary/macho.ts";
import { PeError, readPe } from "../binary/pe.ts";
import type { NamedSource } from "../binary/file-source.ts";

interface LibraryFormat {
  /** What it is called, with its article. */
  readonly name: string;
  /** Reads a file of it; throws the error below, whose message says when it is another format. */
  readonly read: (place: string | NamedSource) => unknown;
  readonly Fault: abstract new (...args: never[]) => Error;
}

const ELF: LibraryFormat = { name: "an ELF", read: readElf, Fault: ElfError };

/** The format of a system's libraries, where it is not ELF. */
const FORMATS: Readonly<Record<string, LibraryFormat>> = {
  darwin: { name: "a Mach-O", read: readMachO, Fault: MachOError },
  win32: { name: "a PE", read: readPe, Fault: PeError },
};

/**
 * What is wrong with a library's file, as a clause; `null` when nothing is. Errors of the file
 * system come as they are.
 */
export function libraryFault(
  place: string | NamedSource,
  platform: string,
): { readonly why: string; readonly cause: Error } | null {
  const { name, read, Fault } = FORMATS[platform] ?? ELF;
  try {
    read(place);
    return null;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const otherFormat = error.message.endsWith(`not ${name} file.`);
    const why = otherFormat
      ? `it is not ${name} file`
      : `its ${name.replace(/^an? /, "")} file is truncated or damaged`;
    return { why, cause: error };
  }
}
