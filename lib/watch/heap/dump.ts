/**
 * jemalloc's text of a heap profile: `heap_v2`, as `prof.dump` writes it.
 *
 * ```
 * heap_v2/524288
 *   t*: 28106: 56637512 [0: 0]        all threads: objects: bytes [allocated in all, with prof_accum]
 *   t0: …                             one thread
 * @ 0x5f86da8 0x5f5a1dc …             a stack, the innermost first
 *   t*: 13: 6688 [0: 0]               what it holds
 *   t0: …
 *
 * MAPPED_LIBRARIES:
 * …                                   a copy of /proc/PID/maps
 * ```
 *
 * @module
 */
import { HeapProfileError } from "../../errors.ts";
import { type Mapping, parseMaps } from "../../system/linux-maps.ts";
import type { HeapAmount } from "./types.ts";

/** A stack, with what was sampled there, not scaled. */
export interface DumpedStack {
  /** Return addresses, the innermost first. */
  readonly addresses: readonly number[];
  /**
   * How many bytes the runtime's map of its code had when the stack was taken: the shim writes it after the
   * last address (`ffi/native/profile/code-moment.c`). `null` where it did not.
   */
  readonly mark: number | null;
  /** What is in use. */
  readonly inUse: HeapAmount;
  /** What was allocated in all; zeros where jemalloc does not keep it. */
  readonly allocated: HeapAmount;
}

/** What a dump says. */
export interface Dump {
  /** The bytes between two samples, on average. */
  readonly interval: number;
  /** The stacks. */
  readonly stacks: readonly DumpedStack[];
  /** What was mapped. */
  readonly mappings: readonly Mapping[];
}

const HEADER = /^heap_v2\/(\d+)$/;
const STACK = /^@((?: 0x[0-9a-f]+)*)\s*$/;
const ALL_THREADS = /^\s+t\*: (\d+): (\d+) \[(\d+): (\d+)\]/;
/** A number from here on is no address: how far the map was written is added to it. */
const MARK = 2 ** 52;

const MAPS = "MAPPED_LIBRARIES:";

/**
 * Reads a dump.
 *
 * @param place What a message calls it.
 * @throws {HeapProfileError} when it is not one, or is truncated.
 */
export function readDump(text: string, place: string): Dump {
  const fail = (why: string): never => {
    throw new HeapProfileError(`Cannot read the heap profile in ${place}: ${why}.`);
  };
  const end = text.indexOf(`\n${MAPS}`);
  const [first = "", ...lines] = text.slice(0, end < 0 ? text.length : end).split("\n");
  const interval = Number(HEADER.exec(first)?.[1] ?? NaN);
  if (!(interval > 0)) fail(`it must begin with heap_v2/NUMBER; got ${JSON.stringify(first)}`);
  if (end < 0) fail("it ends before what is mapped: it is truncated");
  const stacks: DumpedStack[] = [];
  let addresses: number[] | null = null;
  for (const line of lines) {
    const stack = STACK.exec(line)?.[1];
    if (stack !== undefined) {
      addresses = stack.split(" ").filter((word) => word !== "").map(Number);
      continue;
    }
    const counts = addresses === null ? null : ALL_THREADS.exec(line);
    if (counts === null || addresses === null) continue;
    const [objects = 0, bytes = 0, allObjects = 0, allBytes = 0] = counts.slice(1).map(Number);
    const last = addresses.at(-1) ?? 0;
    const isMarked = last >= MARK;
    stacks.push({
      addresses: isMarked ? addresses.slice(0, -1) : addresses,
      mark: isMarked ? last - MARK : null,
      inUse: { objects, bytes },
      allocated: { objects: allObjects, bytes: allBytes },
    });
    addresses = null;
  }
  return { interval, stacks, mappings: parseMaps(text.slice(end + 1 + MAPS.length)) };
}
