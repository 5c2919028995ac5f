/**
 * The binary formats that a launch understands.
 *
 * @module
 */
import { ELF } from "./elf.ts";
import type { BinaryFormat, ProgramFile } from "./types.ts";

/** Each format by its name. */
export const FORMATS: Readonly<Record<ProgramFile["format"], BinaryFormat>> = { elf: ELF };

/** The format of a file by its first bytes; `undefined` when it is none of them. */
export function formatOf(head: Uint8Array): BinaryFormat | undefined {
  return Object.values(FORMATS).find((format) => format.recognises(head));
}
