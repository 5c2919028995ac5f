/**
 * The dynamic linker's own list of what it loaded into a process, read from the process's memory:
 * the way debuggers take (`struct r_debug` and `struct link_map` of `link.h`). It is in the order in
 * which symbols are searched, but for objects that were opened later for themselves.
 *
 * @module
 */
import type { ProcessMemory } from "./process-source.ts";

/** One object that the dynamic linker loaded. */
export interface LinkEntry {
  /** What is to be added to the addresses in its file. */
  readonly base: number;
  /** The name by which it was loaded; empty for the program. */
  readonly name: string;
  /** Where its dynamic section is. */
  readonly dynamic: number;
}

/** Entries of the auxiliary vector (`AT_*`). */
export const AUXILIARY = { headers: 3, headerSize: 4, headerCount: 5, secure: 23 } as const;

/** How a program's exports lead to `struct r_debug`: the structure itself, or a pointer to it. */
export const DEBUG_SYMBOLS: Readonly<Record<string, "structure" | "pointer">> = {
  _r_debug: "structure",
  _dl_debug_addr: "pointer",
};

const SEGMENT = { load: 1, dynamic: 2, headers: 6 } as const;
const DT_DEBUG = 21;
const DYNAMIC_ENTRY_BYTES = 16;
const ELF_HEADER_BYTES = 64;

/** Where `struct r_debug` has its list, and `struct link_map` its fields. */
const DEBUG_LIST = 8;
const ENTRY = { base: 0, name: 8, dynamic: 16, next: 24 } as const;

const MOST_OBJECTS = 10_000;
const LONGEST_NAME = 4096;
const PAGE = 4096;
const DECODER = new TextDecoder();

interface Segment {
  readonly type: number;
  readonly address: number;
  readonly size: number;
}

/** Reads the contents of a `/proc/PID/auxv` of a process of this word size. */
export function parseAuxiliary(bytes: Uint8Array, bits: 32 | 64): Map<number, number> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const size = bits / 8;
  const word = (at: number): number =>
    bits === 64 ? Number(view.getBigUint64(at, true)) : view.getUint32(at, true);
  const entries = new Map<number, number>();
  for (let at = 0; at + 2 * size <= bytes.length; at += 2 * size) {
    entries.set(word(at), word(at + size));
  }
  return entries;
}

/**
 * Reads the list.
 *
 * @param exported Where the started program exports {@linkcode DEBUG_SYMBOLS}, by name. Only the
 * dynamic linker itself does; it is the program when it was started by its own name.
 * @throws {RangeError} when the memory does not hold such a list (yet).
 */
export function readLinkMap(
  memory: ProcessMemory,
  auxiliary: ReadonlyMap<number, number>,
  exported: ReadonlyMap<string, number>,
): LinkEntry[] {
  const entries: LinkEntry[] = [];
  const debug = findDebug(memory, auxiliary, exported);
  let at = debug === 0 ? 0 : memory.word(debug + DEBUG_LIST);
  if (at === 0) throw new RangeError("the dynamic linker has not set up its list of objects");
  while (at !== 0) {
    if (entries.length >= MOST_OBJECTS) throw new RangeError("its list of objects has no end");
    entries.push({
      base: memory.word(at + ENTRY.base),
      name: readString(memory, memory.word(at + ENTRY.name)),
      dynamic: memory.word(at + ENTRY.dynamic),
    });
    at = memory.word(at + ENTRY.next);
  }
  return entries;
}

function findDebug(
  memory: ProcessMemory,
  auxiliary: ReadonlyMap<number, number>,
  exported: ReadonlyMap<string, number>,
): number {
  const table = auxiliary.get(AUXILIARY.headers) ?? 0;
  const size = auxiliary.get(AUXILIARY.headerSize) ?? 0;
  const segments = Array.from({ length: auxiliary.get(AUXILIARY.headerCount) ?? 0 }, (_, index) => {
    const bytes = memory.read(table + index * size, 56);
    const view = new DataView(bytes.buffer);
    return {
      type: view.getUint32(0, true),
      address: Number(view.getBigUint64(16, true)),
      size: Number(view.getBigUint64(40, true)),
    };
  });
  const base = findBase(table, segments);
  for (const [name, kind] of Object.entries(DEBUG_SYMBOLS)) {
    const value = exported.get(name);
    if (value === undefined) continue;
    return kind === "structure" ? base + value : memory.word(base + value);
  }
  const dynamic = segments.find(({ type }) => type === SEGMENT.dynamic);
  for (let at = 0; at < (dynamic?.size ?? 0); at += DYNAMIC_ENTRY_BYTES) {
    const entry = base + (dynamic?.address ?? 0) + at;
    const tag = memory.word(entry);
    if (tag === DT_DEBUG) return memory.word(entry + 8);
    if (tag === 0) break;
  }
  return 0;
}

/** Where the program is loaded: its headers name their own place, or lie behind the ELF header. */
function findBase(table: number, segments: readonly Segment[]): number {
  const headers = segments.find(({ type }) => type === SEGMENT.headers);
  if (headers !== undefined) return table - headers.address;
  const first = segments.find(({ type }) => type === SEGMENT.load)?.address ?? 0;
  return table - ELF_HEADER_BYTES - (first - first % PAGE);
}

/** Reads up to the ends of pages, as the next page may not be there. */
function readString(memory: ProcessMemory, address: number): string {
  const bytes: number[] = [];
  for (let at = address; bytes.length < LONGEST_NAME;) {
    const chunk = memory.read(at, Math.min(256, PAGE - at % PAGE));
    const end = chunk.indexOf(0);
    bytes.push(...(end < 0 ? chunk : chunk.subarray(0, end)));
    if (end >= 0) return DECODER.decode(Uint8Array.from(bytes));
    at += chunk.length;
  }
  throw new RangeError(`the name at 0x${address.toString(16)} has no end`);
}
