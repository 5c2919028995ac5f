/**
 * Finding symbols where musl's dynamic linker gives less than is asked for. It has no `dladdr1`:
 * whether the program defines a symbol, or has only a stub for it, is read from the program's file.
 *
 * @module
 */
import { libcLibrary } from "../../ffi/symbols/libc.ts";
import { NULL } from "../../ffi/types.ts";
import { findElfExports } from "../binary/elf.ts";
import { findAfterProgram } from "./link-map.ts";
import type { SymbolLocation } from "./types.ts";
import { findSymbol, findSymbolIn, locate, objectPath, type OpenFlags, unixCalls } from "./unix.ts";

/** The program as it was started, also when the file at its path is another by now. */
const PROGRAM = "/proc/self/exe";

function findInMusl(name: string, flags: OpenFlags): SymbolLocation | null {
  const handle = unixCalls().dlopen(libcLibrary(), flags.lazy | flags.noload);
  if (handle === NULL) return null;
  const found = locate(unixCalls().dlsym(BigInt(handle), name));
  unixCalls().dlclose(handle);
  return found;
}

/**
 * The symbol in one object. musl's `dlopen` finds neither musl itself by a path nor an object whose
 * file was removed; of the latter, only what the whole process finds first is found here.
 */
export function findMuslSymbolIn(
  object: string,
  name: string,
  flags: OpenFlags,
): SymbolLocation | null {
  const path = objectPath(object);
  return findSymbolIn(object, name, flags) ??
    [findInMusl(name, flags), findSymbol(name)].find((found) => found?.object === path) ?? null;
}

/** The definition that calls go to, when `dlsym` found the symbol in the program itself. */
export function findMuslSymbol(
  name: string,
  inProgram: SymbolLocation,
  flags: OpenFlags,
): SymbolLocation | null {
  return findElfExports(PROGRAM, [name]).length > 0
    ? inProgram
    : findAfterProgram(name, flags, findMuslSymbolIn);
}
