/**
 * Document processing: files of seven kinds are read by libraries, cut into pieces, compressed on
 * the thread pool, and a part of them is kept, several documents at a time. The native parts are
 * sharp (libvips), zlib and brotli. Afterwards garbage is collected and little is kept, as by a
 * service some time after a burst.
 *
 * In Node and Deno, sharp, zlib, brotli and the memory of Buffers come from the process's `malloc`.
 * In Bun only sharp's does: the rest is served by the mimalloc that Bun is linked with.
 *
 * Metrics besides the usual: `input`, how fast files were read through, and `burstResident`,
 * resident memory at the burst's end. Latencies are of a document, by its kind.
 *
 * @module
 */
import { ensureCorpus } from "./documents/corpus.ts";
import { handle } from "./documents/handle.ts";
import { type Kind, KINDS } from "./documents/make.ts";
import { Store } from "./documents/store.ts";
import { type Recorder, recorder } from "./support/percentiles.ts";
import {
  type Meter,
  resident,
  runWorkload,
  type Scale,
  type WorkloadArguments,
  type WorkloadResult,
} from "./support/program.ts";

/** How much is done: documents in the corpus, how often each is handled, bytes that are kept. */
interface Amount {
  readonly documents: number;
  readonly passes: number;
  readonly kept: number;
}

const MEBIBYTE = 2 ** 20;
const AMOUNTS: Readonly<Record<Scale, Amount>> = {
  test: { documents: 14, passes: 1, kept: MEBIBYTE / 16 },
  quick: { documents: 250, passes: 2, kept: 8 * MEBIBYTE },
  full: { documents: 500, passes: 7, kept: 16 * MEBIBYTE },
};
/** Documents in work at a time. */
const LANES = 4;
/** What is left of the store in the end: one in so many. */
const LEFT = 16;

/** It outlives the burst: what is left of it is in the memory that is read after the idle time. */
const store = new Store(0);

function recorders(): Readonly<Record<Kind, Recorder>> {
  const entries = KINDS.map((kind) => [kind, recorder()] as const);
  return Object.fromEntries(entries) as Record<Kind, Recorder>;
}

async function processDocuments(
  { scale, seed }: WorkloadArguments,
  meter: Meter,
): Promise<WorkloadResult> {
  const { documents, passes, kept } = AMOUNTS[scale];
  const corpus = await ensureCorpus(seed, documents);
  const kinds = recorders();
  store.limit = kept;
  const queue = Array.from({ length: passes }, () => corpus).flat().entries();
  const digests: string[] = [];
  let size = 0;
  async function lane(): Promise<void> {
    for (const [index, file] of queue) {
      const handled = await kinds[file.kind].time(() => handle(file, store));
      digests[index] = handled.digest;
      size += handled.size;
    }
  }

  const start = performance.now();
  meter.start();
  await Promise.all(Array.from({ length: LANES }, lane));
  meter.stop();
  const seconds = (performance.now() - start) / 1000;
  const burst = resident();

  for (const digest of digests) meter.digest.update(digest);
  store.cut(LEFT);
  return {
    count: digests.length,
    metrics: {
      input: { value: size / seconds, unit: "B/s", better: "higher" },
      burstResident: { value: burst, unit: "B", better: "lower" },
    },
    latencies: Object.fromEntries(KINDS.map((kind) => [kind, kinds[kind].latency()])),
  };
}

await runWorkload(processDocuments);
// What native threads have written and another allocator serves must have stayed what it was.
await store.requireIntact();
