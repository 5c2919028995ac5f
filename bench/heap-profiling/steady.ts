/**
 * What set-ups cost in the long run: processes of each are warmed up, and do equal portions of a workload by
 * turns. A portion's processor time is compared with the baseline's in the same round, so that what disturbs
 * the machine for longer than a second disturbs both. Two processes of the same set-up differ for as long as
 * they live (where their memory is, what was optimised when): so all are started again some times, and one
 * start gives one ratio, the median of its rounds.
 *
 * @module
 */
import { spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { median } from "simple-statistics";
import { cleanEnvironment } from "../../scripts/npm/process.ts";
import { BASELINE, launched, type SetUp } from "./set-ups.ts";

const PORTIONS = fileURLToPath(new URL("portions.ts", import.meta.url));

/** How much is measured. */
export interface SteadyPlan {
  /** How often the processes are started. */
  readonly starts: number;
  /** Portions of each process. */
  readonly portions: number;
  /** Seconds of processor time before the first of them. */
  readonly warmUp: number;
}

/** A process that does portions. */
interface Worker {
  /** Does one; seconds of processor time. */
  portion(): Promise<number>;
  end(): Promise<void>;
}

async function start(node: string, workload: string, setUp: SetUp, warmUp: number) {
  const child = spawn(node, launched(node, setUp, PORTIONS, workload, `${warmUp}`), {
    env: cleanEnvironment(node, setUp.variables ?? {}),
    stdio: ["pipe", "pipe", "ignore"],
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error(`Cannot measure: a process of "${workload}" has ended`);
    return value;
  };
  await next();
  const worker: Worker = {
    async portion() {
      child.stdin.write("\n");
      return Number(await next());
    },
    async end() {
      child.kill("SIGTERM");
      await ended;
    },
  };
  return worker;
}

/** Starts a process of each set-up, one after another, and compares them; a ratio for each. */
async function measureStart(
  node: string,
  workload: string,
  setUps: Readonly<Record<string, SetUp>>,
  { portions, warmUp }: SteadyPlan,
): Promise<Record<string, number>> {
  const workers: (readonly [name: string | null, worker: Worker])[] = [];
  const seconds = new Map<string | null, number[]>();
  try {
    for (const [name, setUp] of [[null, BASELINE] as const, ...Object.entries(setUps)]) {
      workers.push([name, await start(node, workload, setUp, warmUp)]);
    }
    for (let round = 0; round < portions; round++) {
      const first = round % workers.length;
      for (const [name, worker] of [...workers.slice(first), ...workers.slice(0, first)]) {
        seconds.set(name, [...seconds.get(name) ?? [], await worker.portion()]);
      }
    }
  } finally {
    await Promise.all(workers.map(([, worker]) => worker.end()));
  }
  const baseline = seconds.get(null) ?? [];
  const ratioOf = (name: string): number =>
    median((seconds.get(name) ?? []).map((each, round) => each / (baseline[round] ?? NaN)));
  return Object.fromEntries(Object.keys(setUps).map((name) => [name, ratioOf(name)]));
}

/** Ratios of processor time to the baseline, one for each start, by set-up. */
export async function measureSteady(
  node: string,
  workload: string,
  setUps: Readonly<Record<string, SetUp>>,
  plan: SteadyPlan,
): Promise<Record<string, number[]>> {
  const ratios: Record<string, number[]> = {};
  for (let index = 0; index < plan.starts; index++) {
    const found = await measureStart(node, workload, setUps, plan);
    for (const [name, ratio] of Object.entries(found)) (ratios[name] ??= []).push(ratio);
    process.stderr.write(`start ${index + 1} of ${plan.starts}: ${workload}\n`);
  }
  return ratios;
}
