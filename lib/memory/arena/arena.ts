/**
 * Arenas: allocations that only move a position, and buffers that end all at once.
 *
 * @module
 */
import { inspect } from "node:util";
import type { Address } from "../../../ffi/types.ts";
import { BlockError, ClosedError } from "../../errors.ts";
import { ownOptions } from "../../options.ts";
import type { AllocateFromOptions, AllocateOptions } from "../blocks/block-allocator.ts";
import type { Store } from "../blocks/store.ts";
import type { LeakReport } from "../leaks.ts";
import {
  bytesOf,
  flagOption,
  MAX_SIZE,
  requireAlignment,
  requireSize,
  requireWhole,
} from "../shared/arguments.ts";
import { isDetached } from "../shared/buffers.ts";
import { heldError, Holds, holdUntil } from "../shared/holds.ts";
import { INSPECT, shownAddress, summarize } from "../shared/inspection.ts";
import type { Owner, Owners } from "../shared/owners.ts";
import { unwatch, watch } from "../shared/reclaim.ts";
import { elementSize, type ViewConstructor, type ViewOf } from "../shared/views.ts";
import { Chunks } from "./chunks.ts";
import { Cursor, DETACHED, type Position, START } from "./cursor.ts";

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

/** How bytes are copied into an arena. */
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
  /** The maximum that there ever was of {@linkcode ArenaStatistics.used}. */
  readonly peak: number;
}

/**
 * A position in an arena to which it can be rewound.
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
   * @throws {RangeError} for a bad size or alignment.
   * @throws {TypeError} for bad options.
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
   * A copy of bytes, or of a string as UTF-8, with a zero byte after it if asked.
   *
   * @throws As {@linkcode Arena.allocate}, and a `TypeError` for what is neither, and for bytes whose
   * memory has ended.
   */
  allocateFrom(
    data: string | ArrayBufferView | ArrayBufferLike,
    options?: ArenaFromOptions,
  ): Uint8Array<ArrayBuffer>;
  /**
   * The address of a view's first byte, for native code. It holds until the reset, the rewinding
   * or the freeing that ends the view.
   *
   * @throws {BlockError} for a view that is not of this arena, or has ended, or whose buffer
   * something else has detached.
   * @throws {TypeError} for what is not a view.
   */
  addressOf(view: ArrayBufferView): Address;
  /**
   * Keeps the arena's memory for an asynchronous native call, as {@linkcode Block.hold} does: until
   * the call has ended the arena cannot be reset or rewound, and what {@linkcode Arena.free} frees
   * is given back only then.
   *
   * @param call What the call gave.
   * @returns The result of the call.
   * @throws {ClosedError} after the arena was freed or its allocator closed.
   * @throws {TypeError} for what is not a promise.
   */
  hold<T>(call: PromiseLike<T>): Promise<T>;
  /** Marks the present position. The next allocation begins a new buffer, which a rewind detaches. */
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
   * that was given to {@linkcode Arena.hold} still uses it.
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

const ACTION = "allocate in an arena";
const FIRST_CHUNK = 64 * 1024;
const MIN_CHUNK = 1024;
const MAX_CHUNK: number = 2 ** 30;
/** Alignment where nothing else was asked for: enough for every typed array. */
const ALIGNMENT = 8;
const ARENA_OPTIONS: readonly (keyof ArenaOptions)[] = ["chunkSize"];
const OPTIONS: readonly (keyof ArenaAllocateOptions)[] = ["alignment", "zeroed"];
const FROM_OPTIONS: readonly (keyof ArenaFromOptions)[] = ["alignment", "terminated"];
const NO_OPTIONS: ArenaFromOptions = {};

class Mark implements ArenaMark {
  readonly position: Position;
  readonly used: number;

  constructor(position: Position) {
    this.position = position;
    this.used = position.before + position.begin;
  }
}

/** An arena of an allocator. */
export class BumpArena extends Cursor implements Arena, Owner {
  readonly #chunks: Chunks;
  readonly #owners: Owners;
  readonly #reference: WeakRef<Owner>;
  readonly #marks: Mark[] = [];
  readonly #holds = new Holds();
  #peak = 0;
  #open = true;

  /**
   * An arena without chunks yet.
   *
   * @param trace The stack of who makes it, when that is recorded.
   */
  constructor(store: Store, owners: Owners, trace: string | null, options: ArenaOptions = {}) {
    const action = "make an arena";
    const { chunkSize = FIRST_CHUNK } = ownOptions(action, options, ARENA_OPTIONS);
    requireWhole(action, "the chunk size", chunkSize, MIN_CHUNK, MAX_CHUNK);
    store.requireOpen(action);
    const chunks = new Chunks(store, trace);
    super(chunks, chunkSize);
    this.#chunks = chunks;
    this.#owners = owners;
    this.#reference = owners.add(this);
    watch(this, this.#chunks);
  }

  allocate(size: number, options?: ArenaAllocateOptions): Uint8Array<ArrayBuffer> {
    if (typeof size === "number" && options === undefined) {
      const offset = (this.offset + ALIGNMENT - 1) & -ALIGNMENT;
      const end = offset + size;
      if (end <= this.limit && (size | 0) === size && size >= 0) {
        this.offset = end;
        this.allocations++;
        try {
          return new Uint8Array(this.buffer as ArrayBuffer, offset, size);
        } catch (error) {
          throw this.explain(error);
        }
      }
    }
    requireSize(ACTION, size);
    const [buffer, at] = this.#place(size, options, 1);
    return new Uint8Array(buffer, at, size);
  }

  view<C extends ViewConstructor>(
    type: C,
    length: number,
    options?: ArenaAllocateOptions,
  ): ViewOf<C> {
    const element = elementSize(ACTION, type);
    if (typeof length === "number" && options === undefined) {
      const offset = (this.offset + ALIGNMENT - 1) & -ALIGNMENT;
      const end = offset + element * length;
      if (end <= this.limit && (length | 0) === length && length >= 0) {
        this.offset = end;
        this.allocations++;
        try {
          return new type(this.buffer as ArrayBuffer, offset, length) as ViewOf<C>;
        } catch (error) {
          throw this.explain(error);
        }
      }
    }
    requireWhole(ACTION, "the length", length, 0, MAX_SIZE);
    requireSize(ACTION, element * length);
    const [buffer, at] = this.#place(element * length, options, element);
    return new type(buffer, at, length) as ViewOf<C>;
  }

  allocateFrom(
    data: string | ArrayBufferView | ArrayBufferLike,
    options: ArenaFromOptions = NO_OPTIONS,
  ): Uint8Array<ArrayBuffer> {
    const bytes = bytesOf(ACTION, data);
    if (options === NO_OPTIONS) {
      const copy = this.allocate(bytes.length);
      copy.set(bytes);
      return copy;
    }
    const { terminated, ...place } = ownOptions(ACTION, options, FROM_OPTIONS);
    const end = flagOption(ACTION, "terminated", terminated) ? 1 : 0;
    const copy = this.allocate(bytes.length + end, place);
    copy.set(bytes);
    if (end === 1) copy[bytes.length] = 0;
    return copy;
  }

  addressOf(view: ArrayBufferView): Address {
    const action = "find the address of a view";
    if (!ArrayBuffer.isView(view)) {
      throw new TypeError(`Cannot ${action}: it must be a view; got ${inspect(view)}`);
    }
    const address = this.segmentAddress(view.buffer);
    if (address === undefined) {
      throw new BlockError("foreign", `Cannot ${action}: it is not of this arena, or has ended.`);
    }
    // Such a view no longer says where in the buffer it was.
    if (isDetached(view.buffer)) {
      throw new BlockError("detached", `Cannot ${action}: ${DETACHED}`);
    }
    return address + view.byteOffset as Address;
  }

  hold<T>(call: PromiseLike<T>): Promise<T> {
    const action = "hold an arena";
    this.#requireOpen(action);
    return holdUntil(action, call, [this.#holds], this);
  }

  mark(): ArenaMark {
    this.#requireOpen("mark an arena");
    const mark = new Mark(this.newPosition());
    this.#marks.push(mark);
    return mark;
  }

  rewind(mark: ArenaMark): void {
    this.#requireOpen("rewind an arena");
    const index = this.#marks.findLastIndex((each) => each === mark);
    const found = this.#marks[index];
    if (found === undefined) {
      throw new BlockError(
        "stale",
        "Cannot rewind an arena: the mark is another arena's, or was ended by a reset or by " +
          "rewinding to an earlier mark.",
      );
    }
    this.#requireUnheld("rewind");
    this.#rewind(found.position);
    this.#marks.length = index + 1;
  }

  reset(): void {
    this.#requireOpen("reset an arena");
    this.#requireUnheld("reset");
    this.#rewind(START);
    this.#marks.length = 0;
  }

  statistics(): ArenaStatistics {
    const { used, allocations } = this;
    this.#peak = Math.max(this.#peak, used);
    const { count: chunks, size: capacity } = this.#chunks;
    return { chunks, capacity, used, allocations, peak: this.#peak };
  }

  free(): void {
    this.#requireOpen("free an arena");
    this.#rewind(START);
    this.#owners.remove(this.#reference);
    this.#finish(true);
  }

  [Symbol.dispose](): void {
    if (this.#open) this.free();
  }

  [INSPECT](): string {
    const { capacity, used, chunks, allocations } = this.statistics();
    const { firstAddress: first } = this;
    const address = first === undefined ? undefined : shownAddress(first, this.#open);
    const state = this.#open ? this.#holds.any ? "held" : "open" : "freed";
    return summarize("Arena", { capacity, used, chunks, allocations, address, state });
  }

  contains(address: Address): boolean {
    return this.#chunks.contains(address);
  }

  end(): LeakReport[] {
    if (!this.#open) return [];
    const report = this.#chunks.report();
    // What something else may be using stays allocated.
    this.#finish(this.detachAll());
    return [report];
  }

  /** Ends it, and gives its chunks back when no call uses them any more. */
  #finish(gives: boolean): void {
    this.#open = false;
    unwatch(this.#chunks);
    if (gives) this.#holds.whenOver(() => this.#chunks.giveAll());
  }

  #requireOpen(action: string): void {
    if (!this.#open) throw new ClosedError(action, "it was freed, or its allocator was closed");
  }

  #requireUnheld(action: string): void {
    if (this.#holds.any) throw heldError(action, "an arena");
  }

  /** Places elements as a caller's options say. */
  #place(
    size: number,
    options: ArenaAllocateOptions | undefined,
    element: number,
  ): [ArrayBuffer, number] {
    let alignment = ALIGNMENT;
    let zeroed = false;
    if (options !== undefined) {
      const own = ownOptions(ACTION, options, OPTIONS);
      const { alignment: wanted = ALIGNMENT } = own;
      requireAlignment(ACTION, wanted);
      alignment = Math.max(wanted, element);
      zeroed = flagOption(ACTION, "zeroed", own.zeroed);
    }
    this.#requireOpen(ACTION);
    const [buffer, at] = this.place(size, alignment);
    if (zeroed) new Uint8Array(buffer, at, size).fill(0);
    return [buffer, at];
  }

  /** Ends all allocations after a position. */
  #rewind(position: Position): void {
    const { used } = this;
    this.rewindTo(position, this.#holds.any);
    this.#peak = Math.max(this.#peak, used);
  }
}
