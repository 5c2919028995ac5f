/**
 * Which JavaScript runtime a program's file is, by what it exports: the file's name says nothing about
 * a program that was compiled with its runtime, nor about one that was copied.
 *
 * @module
 */
import { findElfExports } from "../../binary/elf.ts";

/** In order: all three export Node-API, and Bun some of Node's own functions, too. */
const MARKS = [
  { runtime: "node", symbol: "_ZN4node5StartEiPPc" },
  { runtime: "bun", symbol: "_ZN4node19GetCurrentEventLoopEPN2v87IsolateE" },
  { runtime: "deno", symbol: "napi_create_object" },
] as const;

/** A runtime, as a program's file shows it. */
export type ProgramRuntime = (typeof MARKS)[number]["runtime"];

const SYMBOLS: readonly string[] = MARKS.map(({ symbol }) => symbol);

/**
 * The runtime that the program in a file is; `null` for any other program.
 *
 * @throws {ElfError} when it is not a readable ELF file. Errors of the file system come as they are.
 */
export function runtimeOf(path: string): ProgramRuntime | null {
  const found = new Set(findElfExports(path, SYMBOLS).map(({ name }) => name));
  return MARKS.find(({ symbol }) => found.has(symbol))?.runtime ?? null;
}

/** The runtime of a name; `null` for another one. */
export function runtimeNamed(name: string): ProgramRuntime | null {
  return MARKS.find(({ runtime }) => runtime === name)?.runtime ?? null;
}
