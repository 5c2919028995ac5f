/**
 * The binary formats that a launch understands.
 *
 * @module
 */
import { ELF } from "./elf.ts";
import { MACH_O } from "./macho.ts";
import type { BinaryFormat, ProgramFile } from "./types.ts";

/** Each format by its name; a system runs programs of one. */
export const FORMATS: Readonly<Record<ProgramFile["format"], BinaryFormat>> = {
  elf: ELF,
  macho: MACH_O,
};
