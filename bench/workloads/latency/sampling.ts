/**
 * One thread's part of the measuring.
 *
 * @module
 */
import { setImmediate } from "node:timers/promises";
import { type AllocatorName, openAllocator } from "../../../mod.ts";
import type { Scale } from "../support/program.ts";
import { type Call, callsAt } from "./calls.ts";
import { churn } from "./churn.ts";

/** The settings of a thread. */
export interface Order {
  readonly scale: Scale;
  readonly allocator: AllocatorName;
  readonly seed: number;
  /** Operations to churn by before, in all threads together; 0 for a fresh heap. */
  readonly churn: number;
  readonly threads: number;
  /** The first number is the gate; then, for each call, how many are ready and how many are done. */
  readonly meeting: Int32Array;
}

/** The report of a thread. */
export interface Report {
  /** Nanoseconds a call, for each call of the table. */
  readonly samples: readonly Float64Array[];
  /** Calls, the warm-up included. */
  readonly calls: number;
  /** Bytes that were asked for by the churn. */
  readonly churned: number;
}

/** The numbers that all threads share. */
export function openMeeting(scale: Scale): Int32Array {
  return new Int32Array(new SharedArrayBuffer(4 * (1 + 2 * callsAt(scale).length)));
}

/** Arrives, and waits until all have. */
function meet(meeting: Int32Array, index: number, threads: number): void {
  Atomics.add(meeting, index, 1);
  Atomics.notify(meeting, index);
  for (let here = 0; here < threads;) {
    here = Atomics.load(meeting, index);
    if (here < threads) Atomics.wait(meeting, index, here);
  }
}

/** Opens the gate. */
export function openGate(meeting: Int32Array): void {
  Atomics.store(meeting, 0, 1);
  Atomics.notify(meeting, 0);
}

/** Samples all calls, together with the other threads; `ready` is called once before. */
export async function sampleCalls(order: Order, ready: () => void): Promise<Report> {
  const { allocator, meeting, scale, seed, threads } = order;
  const memory = openAllocator({ allocator });
  const churned = order.churn === 0
    ? null
    : churn(memory.raw, Math.ceil(order.churn / threads), threads, seed);
  ready();
  meet(meeting, 0, 1);
  const samples: Float64Array[] = [];
  let calls = 0;
  for (const [index, call] of callsAt(scale).entries()) {
    await setImmediate(); // what the last call left to be collected
    const { close, time } = call.open(memory);
    time(call.warmUp);
    samples.push(sampled(call, time, meeting, 1 + 2 * index, threads));
    close();
    calls += (call.warmUp + call.samples * call.batch) * call.inTurn;
  }
  churned?.free();
  memory.close();
  return { samples, calls, churned: churned?.bytes ?? 0 };
}

/** Samples while all threads make the same call: who is done goes on until all are. */
function sampled(
  { batch, inTurn, samples: count }: Call,
  time: (count: number) => number,
  meeting: Int32Array,
  index: number,
  threads: number,
): Float64Array {
  const samples = new Float64Array(count);
  meet(meeting, index, threads);
  for (let i = 0; i < count; i++) samples[i] = time(batch);
  Atomics.add(meeting, index + 1, 1);
  while (Atomics.load(meeting, index + 1) < threads) time(batch);
  for (let i = 0; i < count; i++) samples[i] = (samples[i] as number) / (batch * inTurn);
  return samples;
}
