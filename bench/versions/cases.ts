/**
 * What versions are judged by: cases of the suite, and which of their figures are shown.
 *
 * @module
 */
import { CASES, type CaseSpec, nativeCase, type Pattern } from "../suite/cases.ts";
import type { Mode } from "../suite/results.ts";

/** Cases of the suite that take part. */
const SHARED: readonly string[] = [
  "native-larson",
  "native-alloc-test",
  "native-glibc-bench",
  "native-mstress",
  "documents-node26",
];

/** Only here: what it shows differs between versions, and not between set-ups of one. */
const FOREIGN_FREE: Pattern = {
  name: "foreign-free",
  operations: 800_000,
  subjects: [],
  threads: 8,
  idle: 2,
};

const QUICK_ROUNDS = 1;

/** The cases, for these subjects; a quick run has one round of each. */
export function casesFor(subjects: readonly string[]): CaseSpec[] {
  const shared = SHARED.map((id) => {
    const found = CASES.find((one) => one.id === id);
    if (found === undefined) throw new RangeError(`Cannot judge versions: there is no case ${id}`);
    return found;
  });
  return [...shared, nativeCase(FOREIGN_FREE)].map((spec) => {
    const planOf = (mode: Mode) => {
      const plan = spec.plans[mode] ?? spec.plans.full;
      if (plan === null) throw new RangeError(`Cannot judge versions: ${spec.id} has no plan`);
      return { ...plan, subjects };
    };
    return {
      ...spec,
      plans: { quick: { ...planOf("quick"), rounds: QUICK_ROUNDS }, full: planOf("full") },
    };
  });
}

/** One figure of a build. */
export interface FigureSpec {
  readonly id: string;
  readonly title: string;
  readonly case: string;
  readonly metric: string;
  /** Its head in the table of all versions; absent where it is in a version's own table alone. */
  readonly short?: string;
}

/** The figures, in the order of the tables. */
export const FIGURES: readonly FigureSpec[] = [
  {
    id: "larson",
    title: "larson, time",
    case: "native-larson",
    metric: "wall",
  },
  {
    id: "larson-cpu",
    title: "larson, processor time",
    case: "native-larson",
    metric: "cpu",
    short: "larson",
  },
  {
    id: "alloc-test",
    title: "alloc-test, time",
    case: "native-alloc-test",
    metric: "wall",
  },
  {
    id: "alloc-test-cpu",
    title: "alloc-test, processor time",
    case: "native-alloc-test",
    metric: "cpu",
    short: "alloc-test",
  },
  {
    id: "glibc-bench",
    title: "glibc’s malloc benchmark, time",
    case: "native-glibc-bench",
    metric: "wall",
  },
  {
    id: "glibc-bench-cpu",
    title: "glibc’s malloc benchmark, processor time",
    case: "native-glibc-bench",
    metric: "cpu",
    short: "glibc’s",
  },
  { id: "mstress", title: "mstress, time", case: "native-mstress", metric: "wall" },
  {
    id: "mstress-peak",
    title: "mstress, peak",
    case: "native-mstress",
    metric: "peakResident",
    short: "mstress peak",
  },
  {
    id: "burst",
    title: "burst of documents, throughput (more is better)",
    case: "documents-node26",
    metric: "throughput",
    short: "burst",
  },
  {
    id: "burst-faults",
    title: "burst of documents, page faults",
    case: "documents-node26",
    metric: "minorFaults",
    short: "burst faults",
  },
  {
    id: "burst-peak",
    title: "burst of documents, peak",
    case: "documents-node26",
    metric: "peakResident",
    short: "burst peak",
  },
  {
    id: "burst-idle",
    title: "burst of documents, idle after it",
    case: "documents-node26",
    metric: "idleResident",
    short: "burst idle",
  },
  {
    id: "foreign-peak",
    title: "freed by threads that never allocate, peak",
    case: "native-foreign-free",
    metric: "peakResident",
    short: "foreign peak",
  },
  {
    id: "foreign-kept",
    title: "freed by threads that never allocate, kept",
    case: "native-foreign-free",
    metric: "idleResident",
    short: "foreign kept",
  },
];
