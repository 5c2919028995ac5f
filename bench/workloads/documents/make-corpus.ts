/**
 * Makes a corpus, unless it is there. Arguments: the seed, and how many documents.
 *
 * @module
 */
import process from "node:process";
import { makeCorpus } from "./corpus.ts";

const [seed, count] = process.argv.slice(2).map(Number);
if (seed === undefined || count === undefined || !Number.isInteger(seed + count) || count < 1) {
  throw new RangeError(
    `Cannot make a corpus: a seed and a number of documents are needed; got ${
      process.argv.slice(2)
    }`,
  );
}
await makeCorpus(seed, count);
// The channel to the parent would keep the process alive.
process.disconnect?.();
