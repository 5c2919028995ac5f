/**
 * What an arena offers.
 *
 * @module
 */
import type { Address } from "../../../ffi/types.ts";
import type { AllocateFromOptions, AllocateOptions, ViewConstructor, ViewOf } from "./block.ts";

/** How an arena grows. */
export interface ArenaOptions {
  /**
   * The size of the first chunk in bytes, from 1 KiB to 1 GiB; 64 KiB without it. Each further
   * chunk is twice as large as the one before, up to 1 MiB or this size, whichever is larger.
   */
  readonly chunkSize?: number | undefined;
}

/** How memory in an arena is allocated: as a block is, but for what only a block can be. */
export type ArenaAllocateOptions = Omit<AllocateOptions, "managed">;

/** How bytes that are there already are copied into an arena. */
export type ArenaFromOptions = Omit<AllocateFromOptions, "managed">;

/** What an arena holds. */
export interface ArenaStatistics {
  /** Chunks, those for single large allocations included. */
  readonly chunks: number;
  /** The size of all chunks, in bytes. */
  readonly capacity: number;
  /** Bytes given out since the last reset, with what alignment and the ends of chunks cost. */
  readonly used: number;
  /** Allocations since the last reset, or since the mark that was rewound to. */
  readonly allocations: number;
  /** The most that was ever in {@linkcode ArenaStatistics.used}. */
  readonly peak: number;
}

/**
 * A place in an arena to which it can be rewound.
 *
 * @example
 * ```ts
 * import { openAllocator } from "@offheap/offheap";
 *
 * const memory = openAllocator();
 * const arena = memory.arena();
 * const kept = arena.allocateFrom("kept");
 * const mark = arena.mark();
 * const scratch = arena.allocate(1000);
 * arena.rewind(mark);
 * console.log(kept.length, scratch.length, arena.statistics().used === mark.used);
 * arena.free();
 * memory.close();
 * ```
 */
export interface ArenaMark {
  /** Bytes that were in use when it was set. */
  readonly used: number;
}

/**
 * Many allocations that end together. An allocation only moves a position in a chunk; there is no
 * freeing of a single one. The memory of a fresh allocation is not zeroed.
 *
 * Resetting, rewinding and freeing detach whole buffers, so every view that was given out has
 * length 0 afterwards. Views may share a buffer with others of the same arena.
 *
 * @example
 * ```ts
 * import { openAllocator } from "@offheap/offheap";
 *
 * const memory = openAllocator();
 * const arena = memory.arena();
 * for (let request = 0; request < 3; request++) {
 *   const header = arena.allocate(16);
 *   const samples = arena.view(Float64Array, 100);
 *   header[0] = request;
 *   samples.fill(0.5);
 *   arena.reset();
 *   console.log(header.length, samples.length);
 * }
 * arena.free();
 * memory.close();
 * ```
 */
export interface Arena extends Disposable {
  /**
   * Bytes in the arena. A size of 0 gives an empty view.
   *
   * @param options As those of a block. What asks for more than a page of alignment gets a chunk of
   * its own.
   * @throws {OutOfMemoryError} when a chunk is needed that cannot be had; the arena stays usable.
   * @throws {RangeError} for a size or an alignment that is none.
   * @throws {TypeError} for options that are none.
   * @throws {ClosedError} after the arena was freed or its allocator closed.
   */
  allocate(size: number, options?: ArenaAllocateOptions): Uint8Array<ArrayBuffer>;
  /**
   * Elements of another type, aligned to their size, or to 8 without options.
   *
   * @param length How many elements; bytes for a `DataView`.
   * @throws As {@linkcode Arena.allocate}.
   */
  view<C extends ViewConstructor>(
    type: C,
    length: number,
    options?: ArenaAllocateOptions,
  ): ViewOf<C>;
  /**
   * A copy of bytes, or of a string as UTF-8, with a zero behind if asked.
   *
   * @throws As {@linkcode Arena.allocate}.
   */
  allocateFrom(
    data: string | ArrayBufferView | ArrayBufferLike,
    options?: ArenaFromOptions,
  ): Uint8Array<ArrayBuffer>;
  /**
   * The address of a view's first byte, for native code. It holds until the reset, the rewinding
   * or the freeing that ends the view.
   *
   * @throws {BlockError} for a view that is not of this arena, or has ended.
   */
  addressOf(view: ArrayBufferView): Address;
  /**
   * Keeps the arena's memory for an asynchronous native call, as {@linkcode Block.hold} does: until
   * the call has ended the arena cannot be reset or rewound, and what {@linkcode Arena.free} frees
   * is given back only then.
   *
   * @param call What the call gave.
   * @returns What the call comes to.
   * @throws {ClosedError} after the arena was freed or its allocator closed.
   * @throws {TypeError} for what is no promise.
   */
  hold<T>(call: PromiseLike<T>): Promise<T>;
  /** Marks the present place. The next allocation begins a new buffer, which a rewind detaches. */
  mark(): ArenaMark;
  /**
   * Ends all allocations since a mark, which can be rewound to again.
   *
   * @throws {BlockError} for a mark of another arena, or one that a reset or an earlier mark's
   * rewind has ended, and as {@linkcode Arena.reset}.
   */
  rewind(mark: ArenaMark): void;
  /**
   * Ends all allocations. Chunks are kept for the next ones, but for those of large allocations.
   * Await what still works on a view before: see {@linkcode Block}.
   *
   * @throws {ClosedError} after the arena was freed or its allocator closed.
   * @throws {BlockError} when something else has detached a buffer of it, or an asynchronous call
   * that was told by {@linkcode Arena.hold} still uses it.
   */
  reset(): void;
  /** What the arena holds. */
  statistics(): ArenaStatistics;
  /**
   * Ends all allocations and gives the chunks back.
   *
   * @throws {ClosedError} when the arena was freed before.
   */
  free(): void;
  /** Frees the arena, unless that was done: `using` calls it. */
  [Symbol.dispose](): void;
}
