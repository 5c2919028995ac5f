/**
 * What the allocator that serves this process's `malloc` has handed out and holds back, by its own
 * counters: those of the preloaded library or of libc, not those of offheap's own blocks.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { XMLParser } from "fast-xml-parser";
import { z } from "zod";
import { JEMALLOC_PREFIX, JEMALLOC_SYMBOLS } from "../../../ffi/symbols/jemalloc.ts";
import { readBytes } from "../../../ffi/symbols/memory.ts";
import { MIMALLOC_SYMBOLS } from "../../../ffi/symbols/mimalloc.ts";
import { ffi } from "../../../ffi/mod.ts";
import { PROCESS_MALLOC_SYMBOLS } from "../../../ffi/symbols/libc.ts";
import { type Address, NULL, type SymbolTable } from "../../../ffi/types.ts";
import { ALL_ARENAS } from "../../../lib/allocators/jemalloc/keys.ts";
import { readStatistic, refreshStatistics } from "../../../lib/allocators/jemalloc/mallctl.ts";
import type { ProcessAllocator } from "../../../mod.ts";

/** One reading, in bytes; `null` for what the allocator does not report. */
export interface AllocatorUsage {
  /** Handed out. */
  readonly live: number | null;
  /** In physical memory, or near it, and not handed out. */
  readonly held: number | null;
  /** Both. */
  readonly total: number | null;
}

/** Reads the counters now; some tenths of a millisecond. */
export type UsageReader = () => AllocatorUsage;

/**
 * jemalloc: what is allocated in all arenas, and its upper bound of what is resident, metadata and
 * unused dirty pages included.
 */
function jemallocReader(): UsageReader {
  const { mallctl } = JEMALLOC_SYMBOLS;
  const { calls } = ffi().open(null, { mallctl }, JEMALLOC_PREFIX);
  return () => {
    refreshStatistics(calls);
    const live = readStatistic(calls, "stats.arenas.<i>.small.allocated", ALL_ARENAS) +
      readStatistic(calls, "stats.arenas.<i>.large.allocated", ALL_ARENAS);
    const total = readStatistic(calls, "stats.arenas.<i>.resident", ALL_ARENAS);
    return { live, held: total - live, total };
  };
}

/** mimalloc: what it has committed. A release build counts no single block. */
function mimallocReader(): UsageReader {
  const { mi_process_info } = MIMALLOC_SYMBOLS;
  const { calls } = ffi().open(null, { mi_process_info });
  const committed = new BigUint64Array(1);
  return () => {
    calls.mi_process_info(null, null, null, null, null, committed, null, null);
    return { live: null, held: null, total: Number(committed[0]) };
  };
}

/** `malloc_info`, which reports the same as `mallinfo2` without a structure for its result. */
const MALLOC_INFO_SYMBOLS = {
  // FILE *open_memstream(char **ptr, size_t *sizeloc); both words have to stay where they are
  open_memstream: { parameters: ["pointer", "pointer"], result: "pointer" },
  // int malloc_info(int options, FILE *stream)
  malloc_info: { parameters: ["i32", "pointer"], result: "i32" },
  // int fflush(FILE *stream)
  fflush: { parameters: ["pointer"], result: "i32" },
  // int fseek(FILE *stream, long offset, int whence)
  fseek: { parameters: ["pointer", "long", "i32"], result: "i32" },
} as const satisfies SymbolTable;

const SEEK_SET = 0;
const WORD = 8;

/** The end of `malloc_info`'s text: the sums over all arenas. */
const Totals = z.object({
  malloc: z.object({
    total: z.array(z.object({ type: z.string(), size: z.number() })),
    system: z.array(z.object({ type: z.string(), size: z.number() })),
  }),
});

/** Where the sums begin: after the last arena. */
const LAST_ARENA_END = "</heap>";

/** More than the sums take: only so much of the text is read, from its end. */
const TAIL_BYTES = 2048;

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: "",
  parseAttributeValue: true,
  isArray: (name) => name === "total" || name === "system",
});

/** The sums in `malloc_info`'s text, in bytes. */
export function parseMallocInfo(xml: string): AllocatorUsage {
  const end = xml.lastIndexOf(LAST_ARENA_END);
  if (end < 0) throw new RangeError("Cannot read malloc_info: it lists no arena");
  const tail = `<malloc>${xml.slice(end + LAST_ARENA_END.length)}`;
  const { malloc: { total, system } } = Totals.parse(parser.parse(tail));
  const size = (rows: typeof total, type: string): number => {
    const row = rows.find((each) => each.type === type);
    if (row === undefined) throw new RangeError(`Cannot read malloc_info: there is no "${type}"`);
    return row.size;
  };
  // Bins, and the free space at the top of each arena.
  const held = size(total, "fast") + size(total, "rest");
  const all = size(system, "current") + size(total, "mmap");
  return { live: all - held, held, total: all };
}

/**
 * glibc: one stream in memory for all readings, so that reading changes as little as it can. What
 * it holds back may in part have been trimmed, which it does not count.
 */
function glibcReader(): UsageReader {
  const { calls } = ffi().open(null, { ...PROCESS_MALLOC_SYMBOLS, ...MALLOC_INFO_SYMBOLS });
  const words = calls.malloc(2 * WORD);
  if (words === NULL) throw new RangeError("Cannot read malloc_info: there is no memory for it");
  const stream = calls.open_memstream(words, words + WORD as Address);
  if (stream === NULL) throw new RangeError("Cannot read malloc_info: no stream can be opened");
  return () => {
    if (
      calls.fseek(stream, 0, SEEK_SET) !== 0 || calls.malloc_info(0, stream) !== 0 ||
      calls.fflush(stream) !== 0
    ) throw new Error("Cannot read malloc_info: the stream failed");
    const [text = 0n, length = 0n] = new BigUint64Array(readBytes(words, 2 * WORD).buffer);
    const tail = Math.min(Number(length), TAIL_BYTES);
    const bytes = readBytes(Number(text) + Number(length) - tail as Address, tail);
    return parseMallocInfo(new TextDecoder().decode(bytes));
  };
}

const READERS: Readonly<Partial<Record<ProcessAllocator, () => UsageReader>>> = {
  jemalloc: jemallocReader,
  mimalloc: mimallocReader,
  glibc: glibcReader,
};

const UNKNOWN: AllocatorUsage = { live: null, held: null, total: null };

/** The reader for who was proven to serve `malloc`; of others nothing is known. */
export function openUsage(allocator: ProcessAllocator): UsageReader {
  return READERS[allocator]?.() ?? (() => UNKNOWN);
}

/** Above what any allocator here keeps ready: such a buffer makes the sum grow. */
const PROBE_BYTES = 64 * 2 ** 20;

/** Whether the runtime takes its buffers from the allocator; `null` where it cannot be asked. */
export function holdsBuffers(read: UsageReader): boolean | null {
  const before = read().total;
  const buffer = Buffer.alloc(PROBE_BYTES);
  const after = read().total;
  if (before === null || after === null) return null;
  return after - before >= buffer.length / 2;
}
