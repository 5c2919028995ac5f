/**
 * The kinds of requests of a document or agent service. Each takes its numbers from its own source,
 * so that what is computed does not depend on which of them ends first; compressed bytes, which
 * differ between the runtimes' versions of zlib and brotli, never get into a digest.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { PassThrough, Readable, type Transform } from "node:stream";
import { buffer } from "node:stream/consumers";
import {
  constants,
  createBrotliCompress,
  createBrotliDecompress,
  createGunzip,
  createGzip,
} from "node:zlib";
import type { Random } from "../support/random.ts";
import type { Resize } from "./images.ts";

/** What a request came to. */
export interface Answer {
  /** Goes into the workload's digest. */
  readonly digest: string;
  /** What the service keeps of it: buffers, strings and objects. */
  readonly kept: readonly unknown[];
}

/** Answers one request. */
export type Handler = (random: Random) => Promise<Answer>;

const KIB = 1024;

const WORDS: readonly string[] = ("the of and to in a is that for it as was with be by on not he " +
  "his but at are this have from or had an they which one you were all her she there would their " +
  "memory request document answer session agent table section figure chapter index größer naïve")
  .split(" ");

function sha256(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

/** A size between the two whose logarithm is uniform: small ones are many, as they are in life. */
function anySize(random: Random, least: number, most: number): number {
  return Math.floor(least * (most / least) ** random.next());
}

function text(random: Random, words: number): string {
  return Array.from({ length: words }, () => random.pick(WORDS)).join(" ");
}

/** Through a stream and back. */
async function roundTrip(
  chunks: readonly Uint8Array[],
  compress: Transform,
  expand: Transform,
): Promise<{ packed: Buffer; unpacked: Buffer }> {
  const packed = await buffer(Readable.from(chunks).pipe(compress));
  const unpacked = await buffer(Readable.from([packed]).pipe(expand));
  return { packed, unpacked };
}

/** A file arrives in pieces and is put together. */
async function upload(random: Random): Promise<Answer> {
  const pieces = Array.from(
    { length: random.between(8, 48) },
    () => Buffer.alloc(anySize(random, 256, 128 * KIB), random.between(1, 255)),
  );
  const whole = await buffer(Readable.from(pieces).pipe(new PassThrough()));
  return { digest: sha256(whole), kept: [whole] };
}

/** Records as JSON, packed for storage and read again. */
async function document(random: Random): Promise<Answer> {
  const records = Array.from({ length: random.between(50, 400) }, (_, id) => ({
    id,
    title: text(random, random.between(3, 9)),
    body: text(random, random.between(10, 60)),
    score: random.between(0, 1e6),
  }));
  const { packed, unpacked } = await roundTrip(
    [Buffer.from(JSON.stringify(records))],
    createGzip({ level: 6 }),
    createGunzip(),
  );
  const again = JSON.parse(unpacked.toString()) as typeof records;
  return { digest: sha256(JSON.stringify(again)), kept: [packed, again.slice(0, 20)] };
}

/** A page, packed for the wire. */
async function page(random: Random): Promise<Answer> {
  const chunks = Array.from(
    { length: random.between(4, 12) },
    () => Buffer.from(text(random, random.between(200, 900))),
  );
  const { packed, unpacked } = await roundTrip(
    chunks,
    createBrotliCompress({ params: { [constants.BROTLI_PARAM_QUALITY]: 5 } }),
    createBrotliDecompress(),
  );
  return { digest: sha256(unpacked), kept: [packed, unpacked.toString()] };
}

/** A conversation: strings, and small buffers such as tokens, keys and vectors. */
function session(random: Random): Promise<Answer> {
  const messages = Array.from({ length: random.between(10, 60) }, () => ({
    text: text(random, random.between(5, 40)),
    vector: Buffer.alloc(anySize(random, 64, 8 * KIB), random.between(1, 255)),
  }));
  const digest = sha256(...messages.flatMap(({ text, vector }) => [text, vector]));
  return Promise.resolve({ digest, kept: messages });
}

/** A photograph of some megabytes becomes a small one. */
function pictureOf(resize: Resize): Handler {
  return async (random) => {
    const [width, height] = [random.between(480, 1280), random.between(360, 960)];
    const pixels = Buffer.alloc(width * height * 3);
    const step = random.between(1, 13);
    for (let at = 0; at < pixels.length; at += 16) pixels[at] = at * step;
    const { pixels: small, file } = await resize(pixels, width, height);
    return { digest: sha256(small), kept: [file, small] };
  };
}

/** A kind of request, and how many of a hundred requests are of it. */
export interface RequestKind {
  readonly name: string;
  readonly percent: number;
  readonly handle: Handler;
}

/** All kinds; their percentages make a hundred. */
export function requestKinds(resize: Resize): readonly RequestKind[] {
  return [
    { name: "session", percent: 40, handle: session },
    { name: "upload", percent: 20, handle: upload },
    { name: "document", percent: 18, handle: document },
    { name: "page", percent: 12, handle: page },
    { name: "picture", percent: 10, handle: pictureOf(resize) },
  ];
}

/** The kind that a request is of. */
export function pickKind(kinds: readonly RequestKind[], random: Random): RequestKind {
  let at = random.next() * 100;
  for (const kind of kinds) {
    if (at < kind.percent) return kind;
    at -= kind.percent;
  }
  throw new RangeError("Cannot pick a request: the percentages do not make a hundred");
}
