/**
 * Reading numbers and strings out of a file or memory, for the readers of binary formats.
 *
 * @module
 */

/** Where bytes come from. */
export interface ByteSource {
  /** How many bytes there are; `Number.MAX_SAFE_INTEGER` when that is not known. */
  readonly size: number;
  /** The bytes at an offset; fewer than asked for at the end. */
  read(offset: number, length: number): Uint8Array;
}

const PAGE = 4096;
const LONGEST_STRING = 65536;
const DECODER = new TextDecoder();
const NO_BYTES = new Uint8Array(0);

/** Bytes in memory as a source. */
function memorySource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    read: (offset, length) => bytes.subarray(offset, offset + length),
  };
}

/**
 * A part of a source as a source of its own.
 *
 * @throws {RangeError} when the part is not within the source.
 */
export function sliceSource(source: ByteSource, offset: number, size: number): ByteSource {
  if (offset + size > source.size) throw new RangeError(`bytes at ${offset} are past the end`);
  return {
    size,
    read: (at, length) => source.read(offset + at, Math.max(0, Math.min(length, size - at))),
  };
}

/** Reads numbers of one byte order and word size. Every read past the end is a `RangeError`. */
export class ByteReader {
  /** Whether the lowest byte comes first. */
  readonly littleEndian: boolean;
  /** The size of a word. */
  readonly bits: 32 | 64;
  readonly #source: ByteSource;
  readonly #pages = new Map<number, Uint8Array>();

  /** Makes a reader of a source. */
  constructor(source: ByteSource, littleEndian: boolean, bits: 32 | 64) {
    this.#source = source;
    this.littleEndian = littleEndian;
    this.bits = bits;
  }

  /** A reader of bytes in memory. */
  static of(bytes: Uint8Array, littleEndian: boolean, bits: 32 | 64 = 64): ByteReader {
    return new ByteReader(memorySource(bytes), littleEndian, bits);
  }

  /** How many bytes there are, as the source has it. */
  get size(): number {
    return this.#source.size;
  }

  /** The byte at an offset. */
  u8(offset: number): number {
    return this.#view(offset, 1).getUint8(0);
  }

  /** The 16-bit number at an offset. */
  u16(offset: number): number {
    return this.#view(offset, 2).getUint16(0, this.littleEndian);
  }

  /** The 32-bit number at an offset. */
  u32(offset: number): number {
    return this.#view(offset, 4).getUint32(0, this.littleEndian);
  }

  /** The address-sized number at an offset; above 2^53 it is damage, so a `RangeError`. */
  word(offset: number): number {
    if (this.bits === 32) return this.u32(offset);
    const value = Number(this.#view(offset, 8).getBigUint64(0, this.littleEndian));
    if (!Number.isSafeInteger(value)) throw new RangeError(`the number ${value} is too large`);
    return value;
  }

  /** Bytes at an offset: all that were asked for. */
  bytes(offset: number, length: number): Uint8Array {
    if (offset < 0 || !Number.isSafeInteger(offset + length)) throw new RangeError(`at ${offset}`);
    const bytes = length > this.#source.size ? NO_BYTES : this.#source.read(offset, length);
    if (bytes.length < length) throw new RangeError(`offset ${offset} is past the end`);
    return bytes;
  }

  /** The text in a field of fixed length, up to the first NUL. */
  text(offset: number, length: number): string {
    const bytes = this.bytes(offset, length);
    const end = bytes.indexOf(0);
    return DECODER.decode(end < 0 ? bytes : bytes.subarray(0, end));
  }

  /** The NUL-terminated string at an offset. */
  string(offset: number): string {
    for (let length = 64; length <= LONGEST_STRING; length *= 4) {
      const start = offset % PAGE;
      const page = this.#page(Math.floor(offset / PAGE));
      const bytes = start + length <= PAGE
        ? page.subarray(start, start + length)
        : this.#source.read(offset, length);
      const end = bytes.indexOf(0);
      if (end >= 0) return DECODER.decode(bytes.subarray(0, end));
      if (bytes.length < length) break;
    }
    throw new RangeError(`the string at ${offset} has no end`);
  }

  #view(offset: number, length: number): DataView {
    if (offset < 0 || !Number.isSafeInteger(offset)) throw new RangeError(`offset ${offset}`);
    const page = this.#page(Math.floor(offset / PAGE));
    const start = offset % PAGE;
    const bytes = start + length <= PAGE
      ? page.subarray(start, start + length)
      : this.#source.read(offset, length);
    if (bytes.length < length) throw new RangeError(`offset ${offset} is past the end`);
    return new DataView(bytes.buffer, bytes.byteOffset, length);
  }

  #page(index: number): Uint8Array {
    let page = this.#pages.get(index);
    if (page === undefined) {
      page = this.#source.read(index * PAGE, PAGE);
      this.#pages.set(index, page);
    }
    return page;
  }
}
