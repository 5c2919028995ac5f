/**
 * A bounded store of pieces and pictures, as a retrieval index in memory keeps them.
 *
 * @module
 */
import { type Chunk, requireIntact } from "./chunks.ts";

/** A store that forgets the oldest when it is full. */
export class Store {
  /** The maximum of bytes that are kept. */
  limit: number;
  readonly #chunks = new Set<Chunk>();
  readonly #pictures = new Set<Buffer>();
  #size = 0;

  /** A store for so many bytes. */
  constructor(limit: number) {
    this.limit = limit;
  }

  /** Bytes that are kept. */
  get size(): number {
    return this.#size;
  }

  /** Keeps a copy of a piece: what zlib gives may be a part of a larger buffer. */
  keepChunk(chunk: Chunk): void {
    const kept = { ...chunk, bytes: exact(chunk.bytes) };
    this.#chunks.add(kept);
    this.#grow(kept.bytes.length);
  }

  /** Keeps a copy of a picture. */
  keepPicture(bytes: Buffer): void {
    const kept = exact(bytes);
    this.#pictures.add(kept);
    this.#grow(kept.length);
  }

  /** Forgets all but each `share`th, so that what is left is scattered. */
  cut(share: number): void {
    let index = 0;
    for (const chunk of this.#chunks) {
      if (index++ % share !== 0) this.#dropChunk(chunk);
    }
    for (const picture of this.#pictures) {
      if (index++ % share !== 0) this.#dropPicture(picture);
    }
  }

  /**
   * Reads every piece again.
   *
   * @throws {Error} when one was damaged, or none is left.
   */
  async requireIntact(): Promise<void> {
    if (this.#chunks.size === 0) throw new Error("Cannot check the store: it is empty");
    for (const chunk of this.#chunks) await requireIntact(chunk);
  }

  #grow(size: number): void {
    this.#size += size;
    // A piece and a picture in turn, each the oldest of its kind.
    while (this.#size > this.limit) {
      const [chunk] = this.#chunks;
      if (chunk !== undefined) this.#dropChunk(chunk);
      const [picture] = this.#pictures;
      if (picture !== undefined && this.#size > this.limit) this.#dropPicture(picture);
    }
  }

  #dropChunk(chunk: Chunk): void {
    this.#chunks.delete(chunk);
    this.#size -= chunk.bytes.length;
  }

  #dropPicture(picture: Buffer): void {
    this.#pictures.delete(picture);
    this.#size -= picture.length;
  }
}

/** A copy in memory of its own, not in a buffer's pool. */
function exact(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}
