/**
 * The dynamic linker's list of what it loaded into a process, as glibc and musl both have it (`struct
 * link_map` of link.h), read from the memory of this process or of another. It is in the order in which
 * symbols are searched, but for objects that were opened later for themselves; the first entry is the
 * program.
 *
 * @module
 */
import { libcLibrary } from "../../ffi/symbols/libc.ts";
import { readBytes } from "../../ffi/symbols/memory.ts";
import { type Address, NULL } from "../../ffi/types.ts";
import type { SymbolLocation } from "./types.ts";
import { findSymbolIn, type OpenFlags, unixCalls } from "./unix.ts";

/** One object that the dynamic linker loaded. */
export interface LinkEntry {
  /** What is to be added to the addresses in its file. */
  readonly base: number;
  /** The name by which it was loaded; empty for the program. */
  readonly name: string;
  /** Where its dynamic section is. */
  readonly dynamic: number;
}

/**
 * Copies bytes out of a process's memory.
 *
 * @throws {RangeError} when they cannot be read.
 */
export type ReadMemory = (address: number, length: number) => Uint8Array;

/** Where `struct link_map` has its fields: `l_addr`, `l_name`, `l_ld`, `l_next`, `l_prev`. */
const ENTRY = { base: 0, name: 8, dynamic: 16, next: 24, previous: 32 } as const;
const ENTRY_BYTES = 40;

const MAX_OBJECTS = 10_000;
const LONGEST_NAME = 4096;
const PAGE = 4096;
const DECODER = new TextDecoder();

function readEntry(
  read: ReadMemory,
  address: number,
): Readonly<Record<keyof typeof ENTRY, number>> {
  const bytes = read(address, ENTRY_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const field = (name: keyof typeof ENTRY) => Number(view.getBigUint64(ENTRY[name], true));
  return {
    base: field("base"),
    name: field("name"),
    dynamic: field("dynamic"),
    next: field("next"),
    previous: field("previous"),
  };
}

/** Reads up to the ends of pages, as the next page may not be there. */
function readName(read: ReadMemory, address: number): string {
  const bytes: number[] = [];
  for (let at = address; bytes.length < LONGEST_NAME;) {
    const chunk = read(at, Math.min(256, PAGE - at % PAGE));
    const end = chunk.indexOf(0);
    bytes.push(...(end < 0 ? chunk : chunk.subarray(0, end)));
    if (end >= 0) return DECODER.decode(Uint8Array.from(bytes));
    at += chunk.length;
  }
  throw new RangeError(`the name at 0x${address.toString(16)} has no end`);
}

/**
 * The entries from an address on.
 *
 * @throws {RangeError} when the memory does not hold such a list.
 */
export function readLinkEntries(read: ReadMemory, first: number): LinkEntry[] {
  const entries: LinkEntry[] = [];
  for (let at = first; at !== NULL;) {
    if (entries.length >= MAX_OBJECTS) throw new RangeError("its list of objects has no end");
    const { base, name, dynamic, next } = readEntry(read, at);
    entries.push({ base, name: readName(read, name), dynamic });
    at = next;
  }
  return entries;
}

/** The objects of this process but for the program itself, by the names that they were loaded by. */
function loadedObjects(flags: OpenFlags): string[] {
  const read: ReadMemory = (address, length) => readBytes(address as Address, length);
  const handle = unixCalls().dlopen(libcLibrary(), flags.lazy | flags.noload);
  let first: number = handle;
  for (let at = first; at !== NULL; at = readEntry(read, at).previous) first = at;
  const names = readLinkEntries(read, first).slice(1).map(({ name }) => name);
  unixCalls().dlclose(handle);
  return names;
}

/**
 * The first definition of a symbol in the objects after the program.
 *
 * @param find Finds it in one object.
 */
export function findAfterProgram(
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
