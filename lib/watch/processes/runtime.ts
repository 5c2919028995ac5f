/**
 * Which JavaScript runtime a program's file is, by what it exports: the file's name says nothing about
 * a program that was compiled with its runtime, nor about one that was copied.
 *
 * @module
 */
import { RUNTIME_PROGRAMS, type RuntimeProgram } from "../../../ffi/programs.ts";
import { findElfExports } from "../../binary/elf.ts";

/** A runtime, as a program's file shows it. */
export type ProgramRuntime = (typeof RUNTIME_PROGRAMS)[number]["runtime"];

const SYMBOLS: readonly string[] = RUNTIME_PROGRAMS.map(({ symbol }) => symbol);

/**
 * The runtime that the program in a file is; `null` for any other program.
 *
 * @throws {ElfError} when it is not a readable ELF file. Errors of the file system come as they are.
 */
export function runtimeOf(path: string): ProgramRuntime | null {
  const found = new Set(findElfExports(path, SYMBOLS).map(({ name }) => name));
  return RUNTIME_PROGRAMS.find(({ symbol }) => found.has(symbol))?.runtime ?? null;
}

/** The runtime of a name; `null` for another one. */
export function runtimeNamed(name: string): ProgramRuntime | null {
  return programOf(name)?.runtime ?? null;
}

/** What is known of a runtime's program. */
export function programOf(
  name: string | null,
): (RuntimeProgram & { readonly runtime: ProgramRuntime }) | null {
  return RUNTIME_PROGRAMS.find(({ runtime }) => runtime === name) ?? null;
}
