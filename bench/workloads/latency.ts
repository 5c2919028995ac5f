/**
 * Allocation latency: percentiles of malloc, free, and of offheap's blocks, arenas and pools, in one
 * and more threads at once. Options: `threads`, a list such as `"1,2,4"`, where 0 is the main thread
 * (workers are slower in Node 26, whose native functions are looked up at each call there);
 * `heap`, which is `fresh` or `churned` by an hour of a service's life, in `quick` by a minute; and
 * `allocator`, which without it is that of the process.
 *
 * @module
 */
import { Worker } from "node:worker_threads";
import { BUILT_ALLOCATORS } from "../../lib/allocators/mod.ts";
import { type AllocatorName, verifyAllocator } from "../../mod.ts";
import type { Latency } from "../suite/format.ts";
import { callsAt } from "./latency/calls.ts";
import { churnAt } from "./latency/churn.ts";
import { latencyOf } from "./latency/histogram.ts";
import { openGate, openMeeting, type Order, type Report, sampleCalls } from "./latency/sampling.ts";
import { type Meter, runWorkload, type WorkloadArguments } from "./support/program.ts";

const DEFAULT_THREADS = "0,1,2,4";

/** The entry for the main thread in a list of threads. */
const MAIN_THREAD = 0;

/** offheap's blocks come from the process's own allocator, where offheap builds it. */
function ownAllocator(): AllocatorName {
  const { processAllocator } = verifyAllocator();
  return BUILT_ALLOCATORS.find((name) => name === processAllocator) ?? "system";
}

const HEAPS: readonly string[] = ["fresh", "churned"];

/** The counts of threads in turn. */
function threadsOf(list: string | number): number[] {
  return String(list).split(",").map((word) => {
    const count = Number(word);
    if (Number.isInteger(count) && count >= 0 && word.trim() !== "") return count;
    throw new RangeError(`Cannot measure: threads must be a list such as "1,2,4"; got "${list}"`);
  });
}

function heapOf(heap: string | number): "fresh" | "churned" {
  if (heap === "fresh" || heap === "churned") return heap;
  throw new RangeError(`Cannot measure: heap must be one of ${HEAPS.join(", ")}; got "${heap}"`);
}

function start(order: Order): { ready: Promise<void>; report: Promise<Report> } {
  const worker = new Worker(new URL("./latency/thread.ts", import.meta.url), { workerData: order });
  const ready = Promise.withResolvers<void>();
  const report = Promise.withResolvers<Report>();
  let reported: Report | null = null;
  worker.on("message", (message: "ready" | Report) => {
    if (message === "ready") ready.resolve();
    else reported = message;
  });
  worker.on("error", (error) => {
    ready.reject(error);
    report.reject(error);
  });
  worker.on("exit", (code) => {
    if (reported !== null) return report.resolve(reported);
    const error = new Error(`Cannot measure: a thread ended with ${code} before its report`);
    ready.reject(error);
    report.reject(error);
  });
  return { ready: ready.promise, report: report.promise };
}

/** All threads at once; each has its own seed. */
async function inWorkers(order: Order, meter: Meter): Promise<Report[]> {
  const workers = Array.from(
    { length: order.threads },
    (_, index) => start({ ...order, seed: order.seed + index }),
  );
  const reports = Promise.all(workers.map(({ report }) => report));
  await Promise.race([Promise.all(workers.map(({ ready }) => ready)), reports]);
  meter.start();
  openGate(order.meeting);
  const all = await reports;
  meter.stop();
  return all;
}

async function inMainThread(order: Order, meter: Meter): Promise<Report[]> {
  openGate(order.meeting);
  const report = await sampleCalls({ ...order, threads: 1 }, () => meter.start());
  meter.stop();
  return [report];
}

function titleOf(threads: number): string {
  if (threads === MAIN_THREAD) return "main thread";
  return threads === 1 ? "1 thread" : `${threads} threads`;
}

await runWorkload(async ({ scale, seed, options }: WorkloadArguments, meter) => {
  const heap = heapOf(options["heap"] ?? "fresh");
  const hour = churnAt(scale);
  const title = heap === "fresh" ? heap : `churned ${hour.title}`;
  const allocator = options["allocator"] ?? ownAllocator();
  const latencies: Record<string, Latency> = {};
  let count = 0;
  for (const threads of threadsOf(options["threads"] ?? DEFAULT_THREADS)) {
    const order: Order = {
      scale,
      allocator: allocator as AllocatorName,
      seed,
      churn: heap === "fresh" ? 0 : hour.operations,
      threads,
      meeting: openMeeting(scale),
    };
    const reports = await (threads === MAIN_THREAD ? inMainThread : inWorkers)(order, meter);
    for (const [index, { name }] of callsAt(scale).entries()) {
      const samples = reports.map((report) => report.samples[index] ?? new Float64Array());
      const latency = latencyOf(samples);
      latencies[`${name} · ${titleOf(threads)} · ${title}`] = latency;
      meter.digest.update(`${name} ${threads} ${latency.count}\n`);
    }
    for (const { calls, churned } of reports) {
      count += calls;
      meter.digest.update(`${churned}\n`);
    }
  }
  return { count, latencies };
});
