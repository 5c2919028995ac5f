/**
 * What is done with one document: read, cut, hashed, compressed, a part of it kept.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { pack, split } from "./chunks.ts";
import type { CorpusFile } from "./corpus.ts";
import { decodedSize, READERS } from "./read.ts";
import type { Store } from "./store.ts";

/** Pieces whose hash begins with one of these are kept: a half. */
const KEPT = /^[0-7]/;

/** What came of a document. */
export interface Handled {
  /** The same in every runtime: of the text and of decoded sizes, of nothing that is compressed. */
  readonly digest: string;
  /** The file's size in bytes. */
  readonly size: number;
}

/** Handles a document and puts a part of it into the store. */
export async function handle({ path, kind }: CorpusFile, store: Store): Promise<Handled> {
  const bytes = await readFile(path);
  const { text, pictures } = await READERS[kind](bytes);
  const hash = createHash("sha256");
  for (const picture of pictures) {
    hash.update(`${await decodedSize(picture)} `);
    store.keepPicture(picture);
  }
  for (const chunk of await Promise.all(split(text).map(pack))) {
    hash.update(chunk.hash);
    if (KEPT.test(chunk.hash)) store.keepChunk(chunk);
  }
  return { digest: hash.digest("hex"), size: bytes.length };
}
