/**
 * The cases: each workload in a runtime, with its arguments, subjects and rounds by mode.
 *
 * @module
 */
import { join } from "node:path";
import { ROOT } from "../../tools/paths.ts";
import type { Runtime } from "../../tools/runtimes.ts";
import { CHURN } from "../native/build.ts";
import type { WorkloadArguments } from "../workloads/support/program.ts";
import type { CaseRuntime, Mode } from "./results.ts";
import { BASELINE, NOISE, SUBJECTS } from "./subjects.ts";

/** How a case is run in one mode. */
export interface CasePlan {
  /** Arguments of its program. */
  readonly arguments: readonly string[];
  /** Subjects by id; a case always has the baseline. */
  readonly subjects: readonly string[];
  readonly rounds: number;
  /** Whether an uncounted run comes first: it fills the page cache and makes the corpus. */
  readonly warmUp: boolean;
  /** What one run takes on two quiet cores, launcher included, in seconds: a first guess. */
  readonly seconds: number;
}

/** One row of {@linkcode CASES}. */
export interface CaseSpec {
  readonly id: string;
  readonly title: string;
  readonly workload: string;
  readonly runtime: CaseRuntime;
  /** What its throughput counts. */
  readonly counts: string;
  /** `null` in a mode that leaves the case out. */
  readonly plans: Readonly<Record<Mode, CasePlan | null>>;
}

const ALL = SUBJECTS.map(({ id }) => id);
const BALANCED = [BASELINE, "jemalloc-balanced", "mimalloc-balanced"];
const WITH_NOISE = [...BALANCED, NOISE];
const PROFILES = ALL.filter((id) => !/defaults|debian|secure|arenas/.test(id));
const WITH_OTHERS = [...PROFILES, "glibc-two-arenas", "debian-tcmalloc"];
const WITH_LOW_MEMORY = [...BALANCED, "jemalloc-low-memory", "mimalloc-low-memory"];

/** A service is watched for minutes: under the policy's allocator with two profiles. */
const SERVED = [BASELINE, "jemalloc-balanced", "jemalloc-low-memory", "mimalloc-balanced"];

const SEED = 1;

/** A first guess, the same for each runtime. */
interface Timing {
  readonly subjects: readonly string[];
  readonly rounds: number;
  readonly warmUp: boolean;
  readonly seconds: number;
}

function script(
  given: Partial<WorkloadArguments>,
  timing: Timing,
): CasePlan {
  const words: WorkloadArguments = { scale: "quick", seed: SEED, idle: 0, options: {}, ...given };
  return { arguments: [JSON.stringify(words)], ...timing };
}

const RUNTIME_TITLES = { deno: "Deno", bun: "Bun", node26: "Node 26", native: "native" } as const;

function scriptCase(
  workload: string,
  runtime: Exclude<CaseRuntime, "native">,
  counts: string,
  quick: CasePlan | null,
  full: CasePlan,
): CaseSpec {
  const title = `${workload}, ${RUNTIME_TITLES[runtime]}`;
  return { id: `${workload}-${runtime}`, title, workload, runtime, counts, plans: { quick, full } };
}

/** One round: what is there to be seen is coarse, or the machine's time is short. */
const once = (subjects: readonly string[], seconds: number, warmUp = false): Timing => ({
  subjects,
  rounds: 1,
  warmUp,
  seconds,
});
const rounds = (count: number, subjects: readonly string[], seconds: number): Timing => ({
  subjects,
  rounds: count,
  warmUp: true,
  seconds,
});

/** Rounds of a full run: with five, an interval from the least to the greatest covers 93.75 %. */
const FULL_ROUNDS = 5;
/** Seconds of idling before memory is read: in a full run longer than the decay of `balanced`. */
const IDLE = { quick: 3, full: 11 } as const;

const OTHERS = ["deno", "bun"] as const;

/** Workloads of JavaScript. */
const SCRIPT_CASES: readonly CaseSpec[] = [
  scriptCase(
    "documents",
    "node26",
    "documents",
    script({ idle: IDLE.quick }, once(WITH_LOW_MEMORY, 9, true)),
    script({ idle: IDLE.full }, rounds(FULL_ROUNDS, WITH_OTHERS, 12)),
  ),
  scriptCase(
    "agents",
    "node26",
    "steps",
    script({}, once(BALANCED, 5, true)),
    script({}, rounds(FULL_ROUNDS, PROFILES, 5)),
  ),
  scriptCase(
    "service",
    "node26",
    "requests",
    script({}, once(BALANCED, 9)),
    script({ scale: "full" }, once(SERVED, 92)),
  ),
  scriptCase(
    "latency",
    "node26",
    "calls",
    script({ options: { threads: "1,4" } }, once(BALANCED, 8)),
    script({ options: { threads: "0,1,2,4" } }, rounds(3, BALANCED, 16)),
  ),
  {
    ...scriptCase(
      "latency",
      "node26",
      "calls",
      null,
      script({ scale: "full", options: { threads: "4", heap: "churned" } }, once(BALANCED, 75)),
    ),
    id: "latency-churned-node26",
    title: "latency after an hour of churn, Node 26",
  },
  {
    ...scriptCase(
      "documents",
      "node26",
      "documents",
      null,
      script({ scale: "full", idle: IDLE.full }, once(BALANCED, 45, true)),
    ),
    id: "documents-long-node26",
    title: "thousands of documents, Node 26",
  },
  {
    ...scriptCase(
      "agents",
      "node26",
      "steps",
      null,
      script({ options: { memory: "javascript" } }, rounds(FULL_ROUNDS, BALANCED, 5)),
    ),
    id: "agents-javascript-node26",
    title: "agents without arenas, Node 26",
  },
  ...OTHERS.flatMap((runtime): CaseSpec[] => [
    scriptCase(
      "documents",
      runtime,
      "documents",
      script({}, once(BALANCED, 8)),
      script({ idle: IDLE.full }, rounds(FULL_ROUNDS, WITH_NOISE, 9)),
    ),
    scriptCase(
      "agents",
      runtime,
      "steps",
      script({}, once(BALANCED, 5)),
      script({}, rounds(FULL_ROUNDS, WITH_NOISE, 5)),
    ),
    scriptCase(
      "service",
      runtime,
      "requests",
      null,
      script({}, rounds(2, WITH_NOISE, 9)),
    ),
  ]),
];

/** A pattern of the native program: operations for about 0.2 s on two quiet cores. */
export interface Pattern {
  readonly name: string;
  readonly operations: number;
  readonly subjects: readonly string[];
  /** Other than {@linkcode THREADS}. */
  readonly threads?: number;
  /** Seconds in which its threads do nothing, at the end. */
  readonly idle?: number;
  /** Whether a quick run has no time for it. */
  readonly fullOnly?: true;
}

/** Our builds, and those of others that they are compared with. */
const BUILDS = [
  BASELINE,
  NOISE,
  ...SUBJECTS.flatMap(({ id, against }) => against === undefined ? [] : [id, against]),
];

const PATTERNS: readonly Pattern[] = [
  { name: "larson", operations: 4_000_000, subjects: ALL },
  { name: "producer-consumer", operations: 1_000_000, subjects: ALL },
  { name: "small", operations: 6_000_000, subjects: ALL },
  { name: "large", operations: 1000, subjects: ALL },
  { name: "mixed", operations: 200_000, subjects: ALL },
  { name: "realloc", operations: 300_000, subjects: ALL },
  { name: "alloc-test", operations: 4_000_000, subjects: BUILDS, fullOnly: true },
  { name: "glibc-bench", operations: 15_000_000, subjects: BUILDS, fullOnly: true },
  // More threads than cores: the peak goes by the count of threads.
  { name: "mstress", operations: 1_500_000, subjects: BUILDS, threads: 8, fullOnly: true },
  // It allocates nothing: the floor, and a control whose ratios must be 1.
  { name: "none", operations: 10_000_000, subjects: WITH_NOISE },
];

const THREADS = 2;
/** What a quick run has no time for. */
const LEFT_OUT: Readonly<Record<Mode, readonly string[]>> = {
  quick: ["glibc-two-arenas"],
  full: [],
};
const NATIVE_ROUNDS = { quick: 2, full: FULL_ROUNDS } as const;
/** A full run does more at a time, so that the start weighs less. */
const NATIVE_SCALE = { quick: 1, full: 3 } as const;
/** The launcher, and the program's start. */
const NATIVE_START = 0.3;
const NATIVE_WORK = 0.2;

function nativePlan(pattern: Pattern, mode: Mode): CasePlan {
  const { name, operations, subjects, threads = THREADS, idle = 0 } = pattern;
  const scale = NATIVE_SCALE[mode];
  return {
    arguments: [name, ...[threads, operations * scale, SEED, idle].map(String)],
    subjects: subjects.filter((id) => !LEFT_OUT[mode].includes(id)),
    rounds: NATIVE_ROUNDS[mode],
    warmUp: true,
    seconds: NATIVE_START + NATIVE_WORK * scale + idle,
  };
}

/** The case of a pattern. */
export function nativeCase(pattern: Pattern): CaseSpec {
  return {
    id: `native-${pattern.name}`,
    title: `${pattern.name}, native`,
    workload: "churn",
    runtime: "native",
    counts: "operations",
    plans: {
      quick: pattern.fullOnly === true ? null : nativePlan(pattern, "quick"),
      full: nativePlan(pattern, "full"),
    },
  };
}

/** Every case. */
export const CASES: readonly CaseSpec[] = [...PATTERNS.map(nativeCase), ...SCRIPT_CASES];

/** Words between a runtime's binary and a script. */
const RUNTIME_FLAGS: Readonly<Record<string, readonly string[]>> = {
  deno: ["run", "-A", "--no-check", "--quiet"],
  bun: [],
  node26: ["--no-warnings"],
};

/** The program of a case: the file that must exist, and its command without the arguments. */
export interface Program {
  readonly file: string;
  readonly command: readonly [string, ...string[]];
}

/**
 * The program of a case.
 *
 * @throws {Error} when its runtime was not found.
 */
export function programOf(
  { workload, runtime }: Pick<CaseSpec, "workload" | "runtime">,
  runtimes: readonly Runtime[],
): Program {
  if (runtime === "native") return { file: CHURN, command: [CHURN] };
  const file = join(ROOT, "bench", "workloads", `${workload}.ts`);
  const found = runtimes.find(({ spec }) => spec.name === runtime);
  if (found === undefined) throw new Error(`Cannot run ${workload}: ${runtime} was not found`);
  return { file, command: [found.binary, ...(RUNTIME_FLAGS[runtime] ?? []), file] };
}
