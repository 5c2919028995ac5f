/**
 * Samples of this process's memory, by a timer within it.
 *
 * @module
 */
import process from "node:process";
import type { MemorySeries } from "../../suite/format.ts";
import { resident } from "../support/program.ts";
import type { UsageReader } from "./allocator-usage.ts";

/** Milliseconds from one sample to the next. */
const PERIOD = 100;

/** A sampler at work. */
export interface Sampler {
  /** Begins a phase, with a sample of its own: the phase before ends with the same one. */
  phase(name: string): void;
  /** Takes the last sample and ends the timer; all samples. */
  stop(): MemorySeries;
}

/** Milliseconds since the program began. */
const now = (): number => performance.now();

/**
 * Begins to sample. The times are multiples of the period from the first one on, so that a late
 * sample does not delay those after it; a time that was missed entirely is left out.
 */
export function startSampler(read: UsageReader): Sampler {
  const time: number[] = [];
  const residents: number[] = [];
  const heap: number[] = [];
  const external: number[] = [];
  const live: (number | null)[] = [];
  const held: (number | null)[] = [];
  const allocator: (number | null)[] = [];
  const phases: { name: string; start: number }[] = [];

  function sample(): void {
    const usage = read();
    const memory = process.memoryUsage();
    time.push(now());
    residents.push(resident());
    heap.push(memory.heapUsed);
    external.push(memory.external);
    live.push(usage.live);
    held.push(usage.held);
    allocator.push(usage.total);
  }

  const start = now();
  let timer: ReturnType<typeof setTimeout>;
  function schedule(): void {
    const spent = now() - start;
    timer = setTimeout(() => {
      sample();
      schedule();
    }, PERIOD - spent % PERIOD);
  }
  schedule();
  return {
    phase(name) {
      sample();
      phases.push({ name, start: time.at(-1) ?? now() });
    },
    stop() {
      clearTimeout(timer);
      sample();
      return { time, resident: residents, heap, external, live, held, allocator, phases };
    },
  };
}
