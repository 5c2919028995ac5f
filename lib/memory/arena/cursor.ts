/**
 * Where an arena's next allocation goes: a position that moves through chunks.
 *
 * A chunk's memory is seen through segments: buffers over a part of it. A mark ends a segment, so
 * that rewinding detaches the buffers after the mark and none before it.
 *
 * @module
 */
import { ffi } from "../../../ffi/mod.ts";
import type { Address } from "../../../ffi/types.ts";
import { BlockError } from "../../errors.ts";
import { detach, wrapBytes } from "../shared/buffers.ts";
import { type Chunk, CHUNK_ALIGNMENT, type Chunks } from "./chunks.ts";

/** Why an arena cannot go on, as it completes an error's message. */
export const DETACHED =
  "one of its buffers was detached by something else, such as a transfer list, and may be in use " +
  "there.";

function detachedError(): BlockError {
  return new BlockError("detached", `Cannot allocate in an arena: ${DETACHED}`);
}

/** A chunk's largest size in bytes, unless the first one is larger. */
const GROWN_CHUNK = 1024 * 1024;

/** Every buffer of an arena keeps the arena, so that chunks are collected with the last view. */
const keepers = new WeakMap<ArrayBuffer, Cursor>();

/** A buffer over a part of a chunk. */
interface Segment {
  readonly buffer: ArrayBuffer;
  readonly address: Address;
  /** The chunk of an allocation that has one of its own: it goes with the segment. */
  readonly single: Chunk | null;
}

/** A place to which an arena can be rewound. */
export interface Position {
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

/** Before the first allocation. */
export const START: Position = { segments: 0, chunk: -1, begin: 0, before: 0, allocations: 0 };

/** The position of one arena, which extends it: the hot path then reads fields of its own. */
export class Cursor {
  /** The segment that is filled. */
  buffer: ArrayBuffer | null = null;
  /** Where in it the next allocation begins. */
  offset = 0;
  /** Its size; without a segment -1, which no size fits. */
  limit = -1;
  /** How many allocations there are. */
  allocations = 0;
  readonly #chunks: Chunks;
  /** The chunks that are filled in turn. */
  readonly #filled: Chunk[] = [];
  readonly #segments: Segment[] = [];
  readonly #maxChunk: number;
  #nextChunk: number;
  #address = 0;
  /** See {@linkcode Position}. */
  #chunk = -1;
  #begin = 0;
  #before = 0;

  /** No chunks yet. */
  constructor(chunks: Chunks, firstChunk: number) {
    this.#chunks = chunks;
    this.#nextChunk = roundUp(firstChunk, CHUNK_ALIGNMENT);
    this.#maxChunk = Math.max(GROWN_CHUNK, this.#nextChunk);
  }

  /** Bytes in use, with what alignment and the ends of chunks cost. */
  get used(): number {
    return this.#before + this.#begin + this.offset;
  }

  /** The address of the first segment, when there is one. */
  get firstAddress(): Address | undefined {
    return this.#segments[0]?.address;
  }

  /** The address of a segment's first byte. */
  segmentAddress(segment: ArrayBufferLike): Address | undefined {
    return this.#segments.findLast(({ buffer }) => buffer === segment)?.address;
  }

  /** Places `size` bytes: the buffer, and where in it. */
  place(size: number, alignment: number): [ArrayBuffer, number] {
    let at = this.#fit(size, alignment);
    if (at < 0) {
      const slack = Math.max(0, alignment - CHUNK_ALIGNMENT);
      const left = (this.#filled[this.#chunk]?.size ?? 0) - this.#begin;
      if (this.buffer === null && left >= Math.max(1, size + slack)) this.#openSegment();
      else {
        const next = this.#filled[this.#chunk + 1]?.size ?? this.#nextChunk;
        if (size + slack > next) return [this.#placeSingle(size, alignment), 0];
        this.#advance();
      }
      at = this.#fit(size, alignment);
    }
    const buffer = this.buffer as ArrayBuffer;
    if (buffer.detached) throw detachedError();
    this.offset = at + size;
    this.allocations++;
    return [buffer, at];
  }

  /** Why the buffer gave no view: something else may have detached it. */
  explain(error: unknown): unknown {
    return this.buffer?.detached === true ? detachedError() : error;
  }

  /** This position. What is placed from now on is in other segments than what was placed before. */
  newPosition(): Position {
    this.#closeSegment();
    return {
      segments: this.#segments.length,
      chunk: this.#chunk,
      begin: this.#begin,
      before: this.#before,
      allocations: this.allocations,
    };
  }

  /**
   * Ends all that was placed after a position.
   *
   * @param keepsChunks Whether the chunks of single allocations are kept, too.
   * @throws {BlockError} when something else has detached one of the buffers.
   */
  rewindTo(position: Position, keepsChunks: boolean): void {
    if (this.#segments.slice(position.segments).some(isElsewhere)) {
      throw new BlockError(
        "detached",
        `Cannot end allocations of an arena: ${DETACHED}`,
      );
    }
    for (const { buffer, single } of this.#segments.splice(position.segments)) {
      detach(buffer);
      if (single !== null && !keepsChunks) this.#chunks.give(single);
    }
    this.#closeSegment();
    this.#chunk = position.chunk;
    this.#begin = position.begin;
    this.#before = position.before;
    this.allocations = position.allocations;
  }

  /** Detaches all buffers; whether something else had not detached one before. */
  detachAll(): boolean {
    const own = this.#segments.filter((segment) => !isElsewhere(segment));
    for (const { buffer } of own) detach(buffer);
    this.#closeSegment();
    return this.#segments.splice(0).length === own.length;
  }

  /** Where in the segment `size` bytes fit; -1 when they do not. */
  #fit(size: number, alignment: number): number {
    const at = roundUp(this.#address + this.offset, alignment) - this.#address;
    return at + size <= this.limit ? at : -1;
  }

  #placeSingle(size: number, alignment: number): ArrayBuffer {
    const [single, buffer] = this.#chunks.takeWrapped(size, Math.max(alignment, CHUNK_ALIGNMENT));
    this.#push({ buffer, address: single.address, single });
    this.#before += size;
    this.allocations++;
    return buffer;
  }

  /** Goes on to the next chunk, and takes one when there is none. */
  #advance(): void {
    if (this.#filled[this.#chunk + 1] === undefined) {
      this.#filled.push(this.#chunks.take(this.#nextChunk, CHUNK_ALIGNMENT));
      this.#nextChunk = Math.min(2 * this.#nextChunk, this.#maxChunk);
    }
    // The rest of the chunk counts as used.
    this.#before += this.#filled[this.#chunk]?.size ?? 0;
    this.#chunk++;
    this.#begin = 0;
    this.#openSegment();
  }

  #openSegment(): void {
    const chunk = this.#filled[this.#chunk];
    if (chunk === undefined) throw new RangeError("Cannot open a segment: there is no chunk");
    const address = chunk.address + this.#begin as Address;
    const buffer = wrapBytes(address, chunk.size - this.#begin);
    this.#push({ buffer, address, single: null });
    this.buffer = buffer;
    this.#address = address;
    this.offset = 0;
    this.limit = buffer.byteLength;
  }

  #push(segment: Segment): void {
    keepers.set(segment.buffer, this);
    this.#segments.push(segment);
  }

  #closeSegment(): void {
    if (this.buffer !== null) {
      const size = this.#filled[this.#chunk]?.size ?? 0;
      this.#begin = Math.min(size, roundUp(this.#begin + this.offset, CHUNK_ALIGNMENT));
    }
    this.buffer = null;
    this.#address = 0;
    this.offset = 0;
    this.limit = -1;
  }
}

function isElsewhere({ buffer, single }: Segment): boolean {
  return (buffer.byteLength === 0 && single?.size !== 0) || !ffi().detachable(buffer);
}

function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}
