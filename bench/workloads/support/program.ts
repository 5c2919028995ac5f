/**
 * What every workload's program shares: its arguments, what is measured around its work, and the
 * line of JSON that it ends with ({@linkcode WorkloadOutput}). It runs in every runtime and knows
 * none of them.
 *
 * @module
 */
import { createHash, type Hash } from "node:crypto";
import { readFileSync } from "node:fs";
import process from "node:process";
import { verifyAllocator } from "../../../mod.ts";
import { dropGarbage, findCollector } from "./garbage.ts";
import type { Latency, MemorySeries, Metric, WorkloadOutput } from "../../suite/format.ts";

/** How much is done: `test` is next to nothing, `quick` some seconds, `full` a minute or two. */
export type Scale = "test" | "quick" | "full";

/** The settings of a workload, as JSON in its first argument. */
export interface WorkloadArguments {
  readonly scale: Scale;
  /** Of the random numbers: the same seed gives the same work. */
  readonly seed: number;
  /**
   * How long to be idle after the work, in seconds, before resident memory is read. The garbage is
   * collected at its beginning.
   */
  readonly idle: number;
  /** What only one workload knows, as `{ "threads": 4 }`. */
  readonly options: Readonly<Record<string, string | number>>;
}

/** What a workload's body gives back. */
export interface WorkloadResult {
  /** How many things were done between the two calls of the meter: documents, steps, calls. */
  readonly count: number;
  readonly metrics?: Readonly<Record<string, Metric>>;
  readonly latencies?: Readonly<Record<string, Latency>>;
  readonly memory?: MemorySeries;
}

/**
 * Around the measured part of a body: warm-up comes before, cleaning up after. Where there are
 * several such parts, what they took adds up.
 */
export interface Meter {
  /** Takes what the result is made of into the digest. */
  readonly digest: Hash;
  start(): void;
  stop(): void;
}

/** What the system counts for this process. */
interface Usage {
  readonly seconds: number;
  readonly cpu: number;
  readonly minor: number;
  readonly major: number;
}

const PAGE = 4096;
const FIRST_FIELD = 3; // of /proc/self/stat after the name, which may hold blanks
const [MINOR, MAJOR] = [10, 12]; // man 5 proc_pid_stat, counted from 1

function usage(): Usage {
  const stat = readFileSync("/proc/self/stat", "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const { user, system } = process.cpuUsage();
  return {
    seconds: performance.now() / 1000,
    cpu: (user + system) / 1e6,
    minor: Number(fields[MINOR - FIRST_FIELD]),
    major: Number(fields[MAJOR - FIRST_FIELD]),
  };
}

/** Resident memory of this process now, in bytes. */
export function resident(): number {
  return Number(readFileSync("/proc/self/statm", "utf8").split(" ")[1]) * PAGE;
}

/** The most that was resident so far, in bytes, and may lag behind {@link resident} (see churn.c). */
function peakResident(): number {
  const line = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"));
  if (line === null) throw new Error("Cannot measure: /proc/self/status has no line VmHWM");
  return Number(line[1]) * 1024;
}

/** A pause in which timers and other work go on; none for a time that is over already. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, milliseconds)));
}

const DEFAULTS: WorkloadArguments = { scale: "quick", seed: 1, idle: 0, options: {} };

function parseArguments(text: string | undefined): WorkloadArguments {
  return text === undefined ? DEFAULTS : { ...DEFAULTS, ...JSON.parse(text) };
}

function less(value: number, unit: Metric["unit"]): Metric {
  return { value, unit, better: "lower" };
}

/** Runs a workload's body and prints what came of it. */
export async function runWorkload(
  body: (given: WorkloadArguments, meter: Meter) => Promise<WorkloadResult>,
): Promise<void> {
  const given = parseArguments(process.argv[2]);
  let before: Usage | null = null;
  let spent: Usage | null = null;
  const digest = createHash("sha256");
  const result = await body(given, {
    digest,
    start: () => before = usage(),
    stop() {
      if (before !== null) spent = sum(spent, difference(usage(), before));
      before = null;
    },
  });
  const metrics = { ...result.metrics, ...metered(result.count, spent) };
  let idle = 0;
  if (given.idle > 0) {
    await dropGarbage(findCollector("last-resort"));
    await pause(given.idle * 1000);
    idle = resident();
    metrics.idleResident = less(idle, "B");
  }
  metrics.peakResident = less(Math.max(peakResident(), idle), "B");
  const { processAllocator, processAllocatorVerified, evidence } = verifyAllocator();
  const object = evidence.find(({ check, scope }) => check === "symbol" && scope === "process");
  const output: WorkloadOutput = {
    work: digest.digest("hex").slice(0, 16),
    servedBy: {
      allocator: processAllocator,
      verified: processAllocatorVerified,
      object: object?.detail ?? "",
    },
    metrics,
    ...(result.latencies === undefined ? {} : { latencies: result.latencies }),
    ...(result.memory === undefined ? {} : { memory: result.memory }),
  };
  console.log(JSON.stringify(output));
}

function difference(after: Usage, before: Usage): Usage {
  return {
    seconds: after.seconds - before.seconds,
    cpu: after.cpu - before.cpu,
    minor: after.minor - before.minor,
    major: after.major - before.major,
  };
}

function sum(one: Usage | null, other: Usage): Usage {
  return one === null ? other : {
    seconds: one.seconds + other.seconds,
    cpu: one.cpu + other.cpu,
    minor: one.minor + other.minor,
    major: one.major + other.major,
  };
}

function metered(count: number, spent: Usage | null): Record<string, Metric> {
  if (spent === null) {
    throw new Error("Cannot measure: the workload did not start and stop its meter");
  }
  return {
    throughput: { value: count / spent.seconds, unit: "1/s", better: "higher" },
    wall: less(spent.seconds, "s"),
    cpu: less(spent.cpu, "s"),
    minorFaults: less(spent.minor, "1"),
    majorFaults: less(spent.major, "1"),
  };
}
