/**
 * How leaks are told.
 *
 * @module
 */
import type { AllocatorName } from "../../allocators/policy.ts";

/**
 * What is watched: with `sampled` one allocation in 128 records the stack that it was made on, with
 * `all` each one does, which costs tens of microseconds; only these are reported. Memory that is
 * dropped is freed at every level.
 *
 * @example
 * ```ts
 * import { type LeakLevel, openAllocator } from "@offheap/offheap";
 *
 * const level: LeakLevel = "off";
 * const memory = openAllocator({ leaks: level });
 * memory.allocate(100);
 * console.log(memory.close().map(({ kind, size }) => `${kind} of ${size} bytes`).join());
 * ```
 */
export type LeakLevel = "off" | "sampled" | "all";

/** Every {@linkcode LeakLevel}. */
export const LEAK_LEVELS: readonly LeakLevel[] = ["off", "sampled", "all"];

/** What a leak was allocated as. */
export type LeakKind = "block" | "arena" | "heap" | "pool block";

/**
 * Memory that was dropped without being freed, or was still in use when its allocator was closed.
 *
 * @example
 * ```ts
 * import { type LeakReport, openAllocator } from "@offheap/offheap";
 *
 * const onLeak = ({ kind, size, stack }: LeakReport) => console.log(kind, size, stack !== null);
 * const memory = openAllocator({ leaks: "all", onLeak });
 * memory.allocate(100);
 * memory.close();
 * ```
 */
export interface LeakReport {
  /** What it was allocated as. */
  readonly kind: LeakKind;
  /** Its size in bytes; of an arena, that of its chunks. */
  readonly size: number;
  /** The allocator that it came from. */
  readonly allocator: AllocatorName;
  /**
   * How it was noticed: by the garbage collector, or when the allocator was closed; `unclaimed` is a
   * block that was transferred, and that no thread had claimed by then. It stays allocated.
   */
  readonly noticed: "collected" | "closed" | "unclaimed";
  /** The stack of its allocation, a line a frame; `null` for one that was not sampled. */
  readonly stack: string | null;
}
