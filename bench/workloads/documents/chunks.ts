/**
 * Text in pieces: cut with an overlap, hashed, and compressed on the thread pool.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { brotliCompress, brotliDecompress, constants, deflate, inflate } from "node:zlib";

/** Lengths in characters. */
const LENGTH = 4000;
const OVERLAP = 400;
/** One piece in so many is compressed by brotli, the others by deflate. */
const BROTLI_EVERY = 4;
/** What servers choose for answers that are made as they are sent. */
const BROTLI_QUALITY = 4;

/** A compressed piece. */
export interface Chunk {
  /** SHA-256 of the piece. */
  readonly hash: string;
  readonly format: keyof typeof FORMATS;
  readonly bytes: Buffer;
}

const asyncDeflate = promisify(deflate);
const asyncBrotli = promisify(brotliCompress);
const brotliOptions = { params: { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY } };

const FORMATS = {
  deflate: { pack: (bytes: Buffer) => asyncDeflate(bytes), unpack: promisify(inflate) },
  brotli: {
    pack: (bytes: Buffer) => asyncBrotli(bytes, brotliOptions),
    unpack: promisify(brotliDecompress),
  },
} as const;

const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** Cuts a text; neighbours overlap, so that no sentence is only in halves. */
export function split(text: string): string[] {
  const pieces: string[] = [];
  for (let start = 0; start === 0 || start + OVERLAP < text.length; start += LENGTH - OVERLAP) {
    pieces.push(text.slice(start, start + LENGTH));
  }
  return pieces;
}

/** Hashes and compresses a piece of a text, the `index`th of it. */
export async function pack(piece: string, index: number): Promise<Chunk> {
  const plain = Buffer.from(piece);
  const format = index % BROTLI_EVERY === 0 ? "brotli" : "deflate";
  return { hash: hashOf(plain), format, bytes: await FORMATS[format].pack(plain) };
}

/**
 * Reads a piece again.
 *
 * @throws {Error} when it is not what was compressed.
 */
export async function requireIntact({ hash, format, bytes }: Chunk): Promise<void> {
  const found = hashOf(await FORMATS[format].unpack(bytes));
  if (found !== hash) {
    throw new Error(`Cannot go on: a kept piece was damaged; ${hash} became ${found}`);
  }
}
