/**
 * Where another process's dynamic linker keeps its list of what it loaded: the way debuggers take, by
 * `struct r_debug` of `link.h`.
 *
 * @module
 */
import { type LinkEntry, readLinkEntries } from "../../system/link-map.ts";
import type { OpenedMemory } from "./process-source.ts";

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

/** Where `struct r_debug` has its list. */
const DEBUG_LIST = 8;

const PAGE = 4096;

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
  memory: OpenedMemory,
  auxiliary: ReadonlyMap<number, number>,
  exported: ReadonlyMap<string, number>,
): LinkEntry[] {
  const debug = findDebug(memory, auxiliary, exported);
  const first = debug === 0 ? 0 : memory.word(debug + DEBUG_LIST);
  if (first === 0) throw new RangeError("the dynamic linker has not set up its list of objects");
  return readLinkEntries(memory.read, first);
}

function findDebug(
  memory: OpenedMemory,
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

/** Where the program is loaded: its headers name their own place, or follow the ELF header. */
function findBase(table: number, segments: readonly Segment[]): number {
  const headers = segments.find(({ type }) => type === SEGMENT.headers);
  if (headers !== undefined) return table - headers.address;
  const first = segments.find(({ type }) => type === SEGMENT.load)?.address ?? 0;
  return table - ELF_HEADER_BYTES - (first - first % PAGE);
}
