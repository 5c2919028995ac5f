/**
 * Throughput of several workers at once, as the time that one operation takes all of them together:
 * 10^9 by it is the operations per second. Lower is better, as everywhere here.
 *
 * @module
 */
import { Worker } from "node:worker_threads";
import type { Case, Context } from "./cases.ts";
import { type Row, rowOf } from "./rows.ts";
import type { Order, Outcome, WorkKind } from "./worker.ts";

const COUNTS: readonly number[] = [1, 2, 4];

/** What is done, and what it is compared with. */
const WORK: Readonly<
  Record<string, { readonly subject: WorkKind; readonly baseline: WorkKind; readonly size: number }>
> = {
  "raw-64": { subject: "raw", baseline: "direct", size: 64 },
  "cached-64": { subject: "cached", baseline: "direct", size: 64 },
  "block-65536": { subject: "block", baseline: "array", size: 65_536 },
};

const NAMES: Readonly<Record<WorkKind, string>> = {
  raw: "raw.malloc + free",
  cached: "cached.malloc + free",
  block: "allocate + free",
  direct: "direct FFI calls",
  array: "new Uint8Array",
};

function start(order: Order): { worker: Worker; ready: Promise<void>; done: Promise<Outcome> } {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { workerData: order });
  const ready = Promise.withResolvers<void>();
  const done = Promise.withResolvers<Outcome>();
  worker.on("message", (message: "ready" | Outcome) => {
    if (message === "ready") ready.resolve();
    else done.resolve(message);
  });
  worker.on("error", (error) => {
    ready.reject(error);
    done.reject(error);
  });
  return { worker, ready: ready.promise, done: done.promise };
}

/** Nanoseconds of all workers for one operation. */
async function throughput(kind: WorkKind, size: number, count: number, context: Context) {
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const { warmUp, work } = context.effort;
  const order: Order = { kind, size, allocator: context.memory.name, gate, warmUp, work };
  const workers = Array.from({ length: count }, () => start(order));
  await Promise.all(workers.map(({ ready }) => ready));
  Atomics.store(gate, 0, 1);
  Atomics.notify(gate, 0);
  const outcomes = await Promise.all(workers.map(({ done }) => done));
  await Promise.all(workers.map(({ worker }) => worker.terminate()));
  const perNanosecond = outcomes.reduce(
    (sum, { operations, spent }) => sum + operations / spent,
    0,
  );
  return 1 / perNanosecond;
}

/** The cases. */
export const WORKER_CASES: readonly Case[] = Object.entries(WORK).map(
  ([what, { subject, baseline, size }]) => ({
    name: `workers/${what}`,
    async measure(context): Promise<Row[]> {
      const rows = [];
      for (const count of COUNTS) {
        const name = `workers/${what}/${count}`;
        rows.push(rowOf(name, context.runtime, "ns for all workers", {
          subject: `${context.memory.name}: ${NAMES[subject]}`,
          baseline: `${NAMES[baseline]}(${size})`,
          subjectValue: await throughput(subject, size, count, context),
          baselineValue: await throughput(baseline, size, count, context),
        }));
      }
      return rows;
    },
  }),
);
