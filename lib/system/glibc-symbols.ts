/**
 * Finding a symbol's definition where glibc's `dlsym` gives a PLT stub: a program that is not
 * position independent and takes a function's address has a stub for it (the ELF symbol is
 * undefined, but has a value), and `dlsym` gives the stub, as pointers to the function must be
 * equal everywhere. Calls, however, go to the definition.
 *
 * @module
 */
import { GLIBC_SYMBOLS, libcLibrary } from "../../ffi/symbols/libc.ts";
import { ffi } from "../../ffi/mod.ts";
import { readBytes } from "../../ffi/symbols/memory.ts";
import { type Address, NULL } from "../../ffi/types.ts";
import { findAfterProgram } from "./link-map.ts";
import type { SymbolLocation } from "./types.ts";
import type { OpenFlags } from "./unix.ts";

const DL_INFO_WORDS = 4;
const RTLD_DL_SYMENT = 1;

/** Where `Elf64_Sym` has the section that defines the symbol; 0 means none does. */
const SECTION_INDEX_OFFSET = 6;

function isDefined(address: Address): boolean {
  const { calls, close } = ffi().open(libcLibrary(), GLIBC_SYMBOLS);
  try {
    const entry = new BigUint64Array(1);
    const info = new BigUint64Array(DL_INFO_WORDS);
    if (calls.dladdr1(address, info, entry, RTLD_DL_SYMENT) === 0) return false;
    const symbol = Number(entry[0] ?? 0n);
    if (symbol === NULL) return false;
    const bytes = readBytes((symbol + SECTION_INDEX_OFFSET) as Address, 2);
    return new DataView(bytes.buffer).getUint16(0, true) !== 0;
  } finally {
    close();
  }
}

/** The definition that calls go to, when `dlsym` found the symbol in the program itself. */
export function findGlibcSymbol(
  name: string,
  inProgram: SymbolLocation,
  flags: OpenFlags,
): SymbolLocation | null {
  return isDefined(inProgram.address) ? inProgram : findAfterProgram(name, flags);
}
