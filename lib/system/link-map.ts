/**
 * The dynamic linker's list of loaded objects, as glibc and musl both have it (link.h).
 *
 * @module
 */
import { libcLibrary } from "../../ffi/symbols/libc.ts";
import { readCString } from "../../ffi/symbols/memory.ts";
import { type Address, NULL } from "../../ffi/types.ts";
import type { SymbolLocation } from "./types.ts";
import { findSymbolIn, type OpenFlags, readPointer, unixCalls } from "./unix.ts";

/** Where `struct link_map` has its fields: `l_name`, `l_next`, `l_prev`. */
const LINK_MAP = { name: 8, next: 24, previous: 32 };

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

/**
 * The first definition of a symbol in the objects behind the program.
 *
 * @param find Finds it in one object.
 */
export function findBehindProgram(
  name: string,
  flags: OpenFlags,
  find: typeof findSymbolIn = findSymbolIn,
): SymbolLocation | null {
  for (const object of loadedObjects(flags)) {
    const found = object === "" ? null : find(object, name, flags);
    if (found !== null) return found;
  }
  return null;
}
