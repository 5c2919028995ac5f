/**
 * Finding a symbol's definition where glibc's `dlsym` gives a stand-in: a program that is not
 * position independent and takes a function's address has a stub for it (the ELF symbol is
 * undefined, but has a value), and `dlsym` gives the stub, as pointers to the function must be
 * equal everywhere. Calls, however, go to the definition.
 *
 * @module
 */
import { GLIBC_SYMBOLS, libcLibrary } from "../../ffi/libc.ts";
import { foreign } from "../../ffi/mod.ts";
import { readBytes, readCString } from "../../ffi/memory.ts";
import { type Address, NULL } from "../../ffi/types.ts";
import type { SymbolLocation } from "./types.ts";
import { findSymbolIn, type OpenFlags, readPointer, unixCalls } from "./unix.ts";

const DL_INFO_WORDS = 4;
const RTLD_DL_SYMENT = 1;

/** Where `Elf64_Sym` has the section that defines the symbol; 0 means none does. */
const SECTION_INDEX_OFFSET = 6;

/** Where `struct link_map` has its fields: `l_name`, `l_next`, `l_prev` (link.h). */
const LINK_MAP = { name: 8, next: 24, previous: 32 };

function isDefined(address: Address): boolean {
  const { calls, close } = foreign().open(libcLibrary(), GLIBC_SYMBOLS);
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

function field(map: Address, offset: number): Address {
  return readPointer((map + offset) as Address);
}

/** The loaded objects but for the program itself, in the order in which they were loaded. */
function loadedObjects(flags: OpenFlags): string[] {
  const objects: string[] = [];
  const handle = unixCalls().dlopen(libcLibrary(), flags.lazy | flags.noload);
  let map = handle;
  for (let at = map; at !== NULL; at = field(at, LINK_MAP.previous)) map = at;
  for (map = field(map, LINK_MAP.next); map !== NULL; map = field(map, LINK_MAP.next)) {
    objects.push(readCString(field(map, LINK_MAP.name)));
  }
  unixCalls().dlclose(handle);
  return objects;
}

/** The definition that calls go to, when `dlsym` found the symbol in the program itself. */
export function findGlibcSymbol(
  name: string,
  inProgram: SymbolLocation,
  flags: OpenFlags,
): SymbolLocation | null {
  if (isDefined(inProgram.address)) return inProgram;
  for (const object of loadedObjects(flags)) {
    const found = object === "" ? null : findSymbolIn(object, name, flags);
    if (found !== null) return found;
  }
  return null;
}
