/**
 * Arenas: a position that moves through chunks, and buffers that end all at once.
 *
 * A chunk's memory is seen through segments: buffers over a part of it. A mark ends a segment, so
 * that rewinding detaches the buffers behind the mark and none before it.
 *
 * @module
 */
import { inspect } from "node:util";
import { foreign } from "../../../ffi/mod.ts";
import type { Address } from "../../../ffi/types.ts";
import { BlockError, ClosedError } from "../../errors.ts";
import { ownOptions } from "../../options.ts";
import type {
  Arena,
  ArenaAllocateOptions,
  ArenaFromOptions,
  ArenaMark,
  ArenaOptions,
  ArenaStatistics,
} from "../api/arena.ts";
import type { ViewConstructor, ViewOf } from "../api/block.ts";
import type { LeakReport } from "../api/leaks.ts";
import { ARENA_FROM_OPTIONS, ARENA_OPTIONS, flagOf } from "../blocks/allocate-options.ts";
import { type Chunk, CHUNK_ALIGNMENT, Chunks } from "./chunks.ts";
import { heldError, Holds, holdUntil } from "../shared/holds.ts";
import { INSPECT, shownAddress, summarize } from "../shared/inspection.ts";
import type { Owner, Owners } from "../shared/owners.ts";
import { unwatch, watch } from "../shared/reclaim.ts";
import { bytesOf, MAX_SIZE, requireAlignment, requireSize, requireWhole } from "../shared/sizes.ts";
import { detach, wrapBytes } from "../shared/buffers.ts";
import type { Store } from "../blocks/store.ts";
import { elementSize } from "../shared/views.ts";

const ACTION = "allocate in an arena";
const FIRST_CHUNK = 64 * 1024;
const GROWN_CHUNK = 1024 * 1024;
const LEAST_CHUNK = 1024;
const MOST_CHUNK: number = 2 ** 30;
/** Alignment where nothing else was asked for: what every typed array can do with. */
const ALIGNMENT = 8;
const OPTION_NAMES: readonly (keyof ArenaOptions)[] = ["chunkSize"];
const NO_OPTIONS: ArenaFromOptions = {};

/** Every buffer of an arena keeps the arena, so that chunks are collected with the last view. */
const keepers = new WeakMap<ArrayBuffer, BumpArena>();

/** A buffer over a part of a chunk. */
interface Segment {
  readonly buffer: ArrayBuffer;
  readonly address: Address;
  /** The chunk of an allocation that has one of its own: it goes with the segment. */
  readonly single: Chunk | null;
}

/** Where an arena stands. */
interface Position {
  /** How many segments there are. */
  readonly segments: number;
  /** The chunk that is filled; -1 for none yet. */
  readonly chunk: number;
  /** Where in it the next segment begins. */
  readonly begin: number;
  /** Bytes in the chunks before it, and in single allocations. */
  readonly before: number;
  /** How many allocations there were. */
  readonly allocations: number;
}

const START: Position = { segments: 0, chunk: -1, begin: 0, before: 0, allocations: 0 };

class Mark implements ArenaMark {
  readonly position: Position;
  readonly used: number;

  constructor(position: Position) {
    this.position = position;
    this.used = position.before + position.begin;
  }
}

/** An arena of an allocator. */
export class BumpArena implements Arena, Owner {
  readonly #chunks: Chunks;
  readonly #owners: Owners;
  readonly #reference: WeakRef<Owner>;
  /** The chunks that are filled in turn. */
  readonly #row: Chunk[] = [];
  readonly #segments: Segment[] = [];
  readonly #marks: Mark[] = [];
  readonly #mostChunk: number;
  #nextChunk: number;
  /** The segment that is filled: no size fits a limit of -1. */
  #buffer: ArrayBuffer | null = null;
  #address = 0;
  #offset = 0;
  #limit = -1;
  /** See {@linkcode Position}. */
  #chunk = -1;
  #begin = 0;
  #before = 0;
  #allocations = 0;
  #peak = 0;
  readonly #holds = new Holds();
  #open = true;

  /**
   * An arena without chunks yet.
   *
   * @param trace The stack of who makes it, when that is recorded.
   */
  constructor(store: Store, owners: Owners, trace: string | null, options: ArenaOptions = {}) {
    const action = "make an arena";
    const { chunkSize = FIRST_CHUNK } = ownOptions(action, options, OPTION_NAMES);
    requireWhole(action, "the chunk size", chunkSize, LEAST_CHUNK, MOST_CHUNK);
    store.requireOpen(action);
    this.#chunks = new Chunks(store, trace);
    this.#nextChunk = roundUp(chunkSize, CHUNK_ALIGNMENT);
    this.#mostChunk = Math.max(GROWN_CHUNK, this.#nextChunk);
    this.#owners = owners;
    this.#reference = owners.add(this);
    watch(this, this.#chunks);
  }

  allocate(size: number, options?: ArenaAllocateOptions): Uint8Array<ArrayBuffer> {
    const offset = (this.#offset + ALIGNMENT - 1) & -ALIGNMENT;
    const end = offset + size;
    if (end <= this.#limit && (size | 0) === size && size >= 0 && options === undefined) {
      this.#offset = end;
      this.#allocations++;
      return new Uint8Array(this.#buffer as ArrayBuffer, offset, size);
    }
    requireSize(ACTION, size);
    const [buffer, at] = this.#placeAs(size, options, 1);
    return new Uint8Array(buffer, at, size);
  }

  view<C extends ViewConstructor>(
    type: C,
    length: number,
    options?: ArenaAllocateOptions,
  ): ViewOf<C> {
    const size = elementSize(ACTION, type) * length;
    const offset = (this.#offset + ALIGNMENT - 1) & -ALIGNMENT;
    const end = offset + size;
    if (options === undefined && end <= this.#limit && (length | 0) === length && length >= 0) {
      this.#offset = end;
      this.#allocations++;
      return new type(this.#buffer as ArrayBuffer, offset, length) as ViewOf<C>;
    }
    requireWhole(ACTION, "the length", length, 0, MAX_SIZE);
    requireSize(ACTION, size);
    const [buffer, at] = this.#placeAs(size, options, elementSize(ACTION, type));
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
    const { terminated, ...place } = ownOptions(ACTION, options, ARENA_FROM_OPTIONS);
    const end = flagOf(ACTION, "terminated", terminated) ? 1 : 0;
    const copy = this.allocate(bytes.length + end, place);
    copy.set(bytes);
    if (end === 1) copy[bytes.length] = 0;
    return copy;
  }

  addressOf(view: ArrayBufferView): Address {
    if (!ArrayBuffer.isView(view)) {
      throw new TypeError(`Cannot tell an address: it must be of a view; got ${inspect(view)}`);
    }
    const segment = this.#segments.findLast(({ buffer }) => buffer === view.buffer);
    if (segment !== undefined) return segment.address + view.byteOffset as Address;
    throw new BlockError(
      "foreign",
      "Cannot tell the address of a view: it is not of this arena, or has ended.",
    );
  }

  hold<T>(call: PromiseLike<T>): Promise<T> {
    const action = "hold an arena";
    this.#requireOpen(action);
    return holdUntil(action, call, [this.#holds], this);
  }

  mark(): ArenaMark {
    this.#requireOpen("mark an arena");
    this.#closeSegment();
    const mark = new Mark({
      segments: this.#segments.length,
      chunk: this.#chunk,
      begin: this.#begin,
      before: this.#before,
      allocations: this.#allocations,
    });
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
    this.#return(found.position);
    this.#marks.length = index + 1;
  }

  reset(): void {
    this.#requireOpen("reset an arena");
    this.#requireUnheld("reset");
    this.#return(START);
    this.#marks.length = 0;
  }

  statistics(): ArenaStatistics {
    const used = this.#used();
    this.#peak = Math.max(this.#peak, used);
    return {
      chunks: this.#chunks.count,
      capacity: this.#chunks.size,
      used,
      allocations: this.#allocations,
      peak: this.#peak,
    };
  }

  free(): void {
    this.#requireOpen("free an arena");
    this.#return(START);
    this.#finish();
    this.#owners.remove(this.#reference);
    this.#holds.whenOver(() => this.#chunks.giveAll());
  }

  [Symbol.dispose](): void {
    if (this.#open) this.free();
  }

  [INSPECT](): string {
    const { capacity, used, chunks, allocations } = this.statistics();
    const [first] = this.#segments;
    const address = first === undefined ? undefined : shownAddress(first.address, this.#open);
    const state = this.#open ? this.#holds.any ? "held" : "open" : "freed";
    return summarize("Arena", { capacity, used, chunks, allocations, address, state });
  }

  contains(address: Address): boolean {
    return this.#chunks.contains(address);
  }

  end(): LeakReport[] {
    if (!this.#open) return [];
    const report = this.#chunks.report();
    const elsewhere = this.#segments.some(isElsewhere);
    for (const segment of this.#segments) if (!isElsewhere(segment)) detach(segment.buffer);
    this.#segments.length = 0;
    this.#closeSegment();
    this.#finish();
    // What something else may be using stays allocated.
    if (!elsewhere) this.#holds.whenOver(() => this.#chunks.giveAll());
    return [report];
  }

  #finish(): void {
    this.#open = false;
    unwatch(this.#chunks);
  }

  #requireOpen(action: string): void {
    if (!this.#open) throw new ClosedError(action, "it was freed, or its allocator was closed");
  }

  #requireUnheld(action: string): void {
    if (this.#holds.any) throw heldError(action, "an arena");
  }

  #used(): number {
    return this.#before + this.#begin + this.#offset;
  }

  /** Room for elements as a caller's options say. */
  #placeAs(
    size: number,
    options: ArenaAllocateOptions | undefined,
    element: number,
  ): [ArrayBuffer, number] {
    if (options === undefined) return this.#place(size, ALIGNMENT);
    const { alignment = ALIGNMENT, zeroed } = ownOptions(ACTION, options, ARENA_OPTIONS);
    requireAlignment(ACTION, alignment);
    const zero = flagOf(ACTION, "zeroed", zeroed);
    const [buffer, at] = this.#place(size, Math.max(alignment, element));
    if (zero) new Uint8Array(buffer, at, size).fill(0);
    return [buffer, at];
  }

  /** Room for `size` bytes: the buffer, and where in it. */
  #place(size: number, alignment: number): [ArrayBuffer, number] {
    this.#requireOpen(ACTION);
    let at = this.#fit(size, alignment);
    if (at < 0) {
      const slack = Math.max(0, alignment - CHUNK_ALIGNMENT);
      if (this.#buffer === null && this.#room() >= Math.max(1, size + slack)) {
        this.#openSegment();
      } else {
        const next = this.#row[this.#chunk + 1]?.size ?? this.#nextChunk;
        if (size + slack > next) return [this.#placeSingle(size, alignment), 0];
        this.#advance();
      }
      at = this.#fit(size, alignment);
    }
    this.#offset = at + size;
    this.#allocations++;
    return [this.#buffer as ArrayBuffer, at];
  }

  /** Where in the segment there is room; -1 when there is none. */
  #fit(size: number, alignment: number): number {
    const at = roundUp(this.#address + this.#offset, alignment) - this.#address;
    return at + size <= this.#limit ? at : -1;
  }

  /** What is left of the chunk behind the last segment. */
  #room(): number {
    return (this.#row[this.#chunk]?.size ?? 0) - this.#begin;
  }

  #placeSingle(size: number, alignment: number): ArrayBuffer {
    const single = this.#chunks.take(size, Math.max(alignment, CHUNK_ALIGNMENT));
    let buffer;
    try {
      buffer = wrapBytes(single.address, size);
    } catch (error) {
      this.#chunks.give(single);
      throw error;
    }
    this.#push({ buffer, address: single.address, single });
    this.#before += size;
    this.#allocations++;
    return buffer;
  }

  /** Goes on to the next chunk, and takes one when there is none. */
  #advance(): void {
    if (this.#row[this.#chunk + 1] === undefined) {
      this.#row.push(this.#chunks.take(this.#nextChunk, CHUNK_ALIGNMENT));
      this.#nextChunk = Math.min(2 * this.#nextChunk, this.#mostChunk);
    }
    // The rest of the chunk counts as used.
    this.#before += this.#row[this.#chunk]?.size ?? 0;
    this.#chunk++;
    this.#begin = 0;
    this.#openSegment();
  }

  #openSegment(): void {
    const chunk = this.#row[this.#chunk];
    if (chunk === undefined) throw new RangeError("Cannot open a segment: there is no chunk");
    const address = chunk.address + this.#begin as Address;
    const buffer = wrapBytes(address, chunk.size - this.#begin);
    this.#push({ buffer, address, single: null });
    this.#buffer = buffer;
    this.#address = address;
    this.#offset = 0;
    this.#limit = buffer.byteLength;
  }

  #push(segment: Segment): void {
    keepers.set(segment.buffer, this);
    this.#segments.push(segment);
  }

  #closeSegment(): void {
    if (this.#buffer !== null) {
      const size = this.#row[this.#chunk]?.size ?? 0;
      this.#begin = Math.min(size, roundUp(this.#begin + this.#offset, CHUNK_ALIGNMENT));
    }
    this.#buffer = null;
    this.#address = 0;
    this.#offset = 0;
    this.#limit = -1;
  }

  /** Ends all that came behind a position. */
  #return(position: Position): void {
    if (this.#segments.slice(position.segments).some(isElsewhere)) {
      throw new BlockError(
        "detached",
        "Cannot end allocations of an arena: one of its buffers was detached by something else, " +
          "such as a transfer list, and may be in use there.",
      );
    }
    this.#peak = Math.max(this.#peak, this.#used());
    for (const { buffer, single } of this.#segments.splice(position.segments)) {
      detach(buffer);
      if (single !== null && !this.#holds.any) this.#chunks.give(single);
    }
    this.#closeSegment();
    this.#chunk = position.chunk;
    this.#begin = position.begin;
    this.#before = position.before;
    this.#allocations = position.allocations;
  }
}

function isElsewhere({ buffer, single }: Segment): boolean {
  return (buffer.byteLength === 0 && single?.size !== 0) || !foreign().detachable(buffer);
}

function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}
