/**
 * The pipeline's work: read, parse, cut into pieces, compress and decompress on the thread pool,
 * and keep some of the results in a bounded cache.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import zlib from "node:zlib";
import { PARSERS } from "./parse.ts";

const DOCUMENTS: string = fileURLToPath(new URL("../documents", import.meta.url));
const SEED = 20240205;
const CACHE_ENTRIES = 384;
// A burst, as of a server that gets many requests at once: this many pieces wait for the pool.
const IN_FLIGHT = 192;
const EDITIONS = 16;

/** One way to compress, and its way back. */
interface Codec {
  readonly pack: (data: Uint8Array) => Promise<Uint8Array>;
  readonly unpack: (data: Uint8Array) => Promise<Uint8Array>;
}

const BROTLI = { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 4 } };
const brotliCompress = promisify<Uint8Array, zlib.BrotliOptions, Uint8Array>(zlib.brotliCompress);

const CODECS: readonly Codec[] = [
  { pack: promisify(zlib.deflate), unpack: promisify(zlib.inflate) },
  { pack: promisify(zlib.gzip), unpack: promisify(zlib.gunzip) },
  { pack: (data) => brotliCompress(data, BROTLI), unpack: promisify(zlib.brotliDecompress) },
];

/** A parsed document. */
interface Document {
  readonly sections: number;
  /** The text of all of its sections. */
  readonly text: string;
}

/** What the work came to. */
export interface Work {
  /** Documents that were read and parsed, each round's counted. */
  readonly documents: number;
  /** The sections in them. */
  readonly sections: number;
  /** The pieces that went through a codec and back. */
  readonly chunks: number;
  /** Their bytes. */
  readonly bytesIn: number;
  /** Their bytes when packed; zlib's versions differ a little. */
  readonly bytesOut: number;
  /** The sha256 of all pieces, in order: the same in every runtime, under every allocator. */
  readonly checksum: string;
}

/** A random number generator with a fixed seed: every run does the same work. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Reads and parses every document once. */
async function readDocuments(): Promise<Document[]> {
  const documents: Document[] = [];
  for (const name of (await readdir(DOCUMENTS)).sort()) {
    const parse = PARSERS[extname(name)];
    if (parse === undefined) throw new Error(`Cannot parse ${name}: no parser for its extension`);
    const bytes = await readFile(join(DOCUMENTS, name));
    // A checkout on Windows may have other line ends, and the checksum must not.
    const sections = parse(bytes.toString("utf8").replaceAll("\r\n", "\n"));
    const text = sections.map((section) => `${name}: ${section.title}\n${section.text}\n`).join(
      "\n",
    );
    documents.push({ sections: sections.length, text });
  }
  return documents;
}

/** Cuts a text into pieces of 1 to 64 KiB, small ones mostly. */
function* chunk(text: string, random: () => number): Generator<Uint8Array> {
  for (let start = 0; start < text.length;) {
    const end = start + 1024 * Math.ceil(64 ** random());
    yield new TextEncoder().encode(text.slice(start, end));
    start = end;
  }
}

/** Packs, unpacks and compares one piece; the packed one. */
async function roundTrip(data: Uint8Array, choice: number): Promise<Uint8Array> {
  const codec = CODECS[Math.floor(choice * CODECS.length)];
  if (codec === undefined) throw new RangeError(`Cannot choose a codec by ${choice}`);
  const packed = await codec.pack(data);
  const unpacked = await codec.unpack(packed);
  if (Buffer.compare(data, unpacked) !== 0) {
    throw new Error(`Cannot trust the codec: ${data.length} bytes did not come back the same`);
  }
  return packed;
}

/** Does the work; the same work for the same number of rounds. */
export async function processDocuments(rounds: number): Promise<Work> {
  const work = { documents: 0, sections: 0, chunks: 0, bytesIn: 0, bytesOut: 0 };
  const random = randomFrom(SEED);
  const hash = createHash("sha256");
  const cache = new Map<number, Uint8Array>();
  for (let round = 0; round < rounds; round++) {
    const editions = await Promise.all(Array.from({ length: EDITIONS }, readDocuments));
    const documents = editions.flat();
    const chunks = documents.flatMap(({ text }) => [...chunk(text, random)]);
    work.documents += documents.length;
    for (const { sections } of documents) work.sections += sections;
    for (let start = 0; start < chunks.length; start += IN_FLIGHT) {
      const batch = chunks.slice(start, start + IN_FLIGHT);
      const results = await Promise.all(batch.map((data) => roundTrip(data, random())));
      for (const [index, packed] of results.entries()) {
        const data = batch[index] ?? packed;
        hash.update(data);
        work.chunks++;
        work.bytesIn += data.length;
        work.bytesOut += packed.length;
        // One in four is kept, and the oldest goes: long and short lives side by side.
        if (random() < 0.25) cache.set(work.chunks, packed);
        for (const oldest of cache.keys()) {
          if (cache.size <= CACHE_ENTRIES) break;
          cache.delete(oldest);
        }
      }
    }
  }
  return { ...work, checksum: hash.digest("hex") };
}
