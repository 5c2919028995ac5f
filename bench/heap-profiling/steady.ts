/**
 * What heap profiling costs in the long run. Processes of each set-up are warmed up, and do equal portions of
 * a workload by turns: a portion's processor time is compared with the baseline's in the same round, so that
 * what disturbs the machine for longer than a second disturbs both. Samples are switched on and off in one
 * process. Two processes of the same set-up differ for as long as they live (where their memory is, what was
 * optimised when): so all are started again some times, and one start gives one ratio, the median of its
 * rounds.
 *
 * @module
 */
import process from "node:process";
import { median } from "simple-statistics";
import { askAgent } from "../../lib/watch/agent/client.ts";
import { BASELINE, type SetUp } from "./set-ups.ts";
import { type PortionWorker, startWorker } from "./worker.ts";

/** How much is measured. */
export interface SteadyPlan {
  /** How often the processes are started. */
  readonly starts: number;
  /** Rounds that count, of each start. */
  readonly rounds: number;
  /** Rounds before: what waited for the others to start has to come back into its stride. */
  readonly unmeasured: number;
  /** Seconds of processor time that each process warms up. */
  readonly warmUp: number;
}

/** What is compared with the baseline, or with the same process without samples. */
export const STEADY_ROWS = ["itself", "prepared", "active, against prepared"] as const;
type Row = (typeof STEADY_ROWS)[number];
type Round = Readonly<Record<Row, number>>;

const PREPARED: SetUp = { options: ["--heap-profiling"] };

/** One portion in each state, in an order that turns; ratios. */
async function measureRound(
  [baseline, itself, prepared]: readonly [PortionWorker, PortionWorker, PortionWorker],
  index: number,
): Promise<Round> {
  const steps: Readonly<Record<string, () => Promise<number>>> = {
    baseline: () => baseline.portion(),
    itself: () => itself.portion(),
    prepared: () => prepared.portion(),
    async active() {
      await askAgent(prepared.pid, "profile start");
      const seconds = await prepared.portion();
      await askAgent(prepared.pid, "profile stop");
      return seconds;
    },
  };
  const names = Object.keys(steps);
  const turned = [...names.slice(index % names.length), ...names.slice(0, index % names.length)];
  const seconds: Record<string, number> = {};
  for (const name of index % 2 === 0 ? turned : turned.reverse()) {
    seconds[name] = await steps[name]?.() ?? NaN;
  }
  const ratio = (one: string, other: string): number =>
    (seconds[one] ?? NaN) / (seconds[other] ?? NaN);
  return {
    "itself": ratio("itself", "baseline"),
    "prepared": ratio("prepared", "baseline"),
    "active, against prepared": ratio("active", "prepared"),
  };
}

async function measureStart(
  node: string,
  workload: string,
  { rounds, unmeasured, warmUp }: SteadyPlan,
): Promise<Round> {
  const workers: PortionWorker[] = [];
  try {
    const started = async (setUp: SetUp): Promise<PortionWorker> => {
      const worker = await startWorker(node, workload, setUp, warmUp);
      workers.push(worker);
      return worker;
    };
    const all = [
      await started(BASELINE),
      await started(BASELINE),
      await started(PREPARED),
    ] as const;
    const found: Round[] = [];
    for (let index = 0; index < unmeasured + rounds; index++) {
      found.push(await measureRound(all, index));
    }
    const measured = found.slice(unmeasured);
    const entries = STEADY_ROWS.map((row) => [row, median(measured.map((each) => each[row]))]);
    return Object.fromEntries(entries);
  } finally {
    await Promise.all(workers.map((worker) => worker.end()));
  }
}

/** Ratios of processor time, one for each start. */
export async function measureSteady(
  node: string,
  workload: string,
  plan: SteadyPlan,
  onStart: (found: readonly Round[]) => void,
): Promise<Round[]> {
  const found: Round[] = [];
  for (let index = 0; index < plan.starts; index++) {
    found.push(await measureStart(node, workload, plan));
    process.stderr.write(`start ${index + 1} of ${plan.starts}: ${workload}\n`);
    onStart(found);
  }
  return found;
}
