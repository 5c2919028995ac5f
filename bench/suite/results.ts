/**
 * What the suite's results hold.
 *
 * @module
 */
import { z } from "zod";
import type { Estimate } from "../../lib/watch/compare/statistics.ts";
import { type Metric, WorkloadOutput } from "./format.ts";

/** How much is run. */
export const MODES = ["quick", "full"] as const;
/** What runs a workload; `native` is a program of its own. */
const CASE_RUNTIMES = ["deno", "bun", "node26", "native"] as const;

/** A subject: an allocator in one set-up. */
export const SubjectInfo = z.object({
  id: z.string(),
  title: z.string(),
  /** What must serve `malloc`: `glibc`, `jemalloc`, `mimalloc` or `tcmalloc`. */
  allocator: z.string(),
  version: z.string(),
  /** The build's variant, or where the build comes from. */
  build: z.string(),
  /** How a user would start a command under it. */
  command: z.string(),
  /** Files in front of all libraries; below the repository's root by their place in it. */
  preloaded: z.array(z.string()),
  /** Variables that are set besides. */
  variables: z.record(z.string(), z.string()),
});

/** A subject that was left out. */
export const MissingSubject = z.object({ id: z.string(), title: z.string(), reason: z.string() });

/** A case: a workload in one runtime. */
export const CaseInfo = z.object({
  id: z.string(),
  title: z.string(),
  workload: z.string(),
  runtime: z.enum(CASE_RUNTIMES),
  /** What its throughput counts: documents, steps. */
  counts: z.string(),
  /** The program's arguments. */
  arguments: z.array(z.string()),
  rounds: z.number().int().positive(),
  subjects: z.array(z.string()),
});

/** One finished run. */
export const Run = z.object({
  case: z.string(),
  subject: z.string(),
  /** Counted from 1; 0 is the warm-up. */
  round: z.number().int().nonnegative(),
  /** From the start of the launcher to the end of the program. */
  seconds: z.number(),
  output: WorkloadOutput,
});

/** The machine, as far as it bears on the figures. */
export const MachineInfo = z.object({
  processor: z.string(),
  cores: z.number().int().positive(),
  memory: z.number(),
  system: z.string(),
  kernel: z.string(),
  libc: z.string(),
  /** Transparent huge pages: the setting that is in force. */
  hugePages: z.string(),
  /** What sets the clock's frequency. */
  governor: z.string(),
  virtual: z.boolean(),
  /** Load averages of 1, 5 and 15 minutes at the start. */
  load: z.array(z.number()).length(3),
});

/** The whole file. What the runs come to is not in it: that is worked out of them. */
export const StoredResults = z.object({
  $schema: z.literal("./results.schema.json"),
  format: z.literal(1),
  mode: z.enum(MODES),
  seed: z.number().int(),
  /** Times in ISO 8601. */
  started: z.string(),
  finished: z.string(),
  /** How long the runs took together, in seconds. */
  seconds: z.number(),
  versions: z.object({
    offheap: z.string(),
    commit: z.string().nullable(),
    runtimes: z.record(z.string(), z.string()),
  }),
  machine: MachineInfo,
  subjects: z.array(SubjectInfo),
  missing: z.array(MissingSubject),
  cases: z.array(CaseInfo),
  runs: z.array(Run),
});

/** How much is run. */
export type Mode = (typeof MODES)[number];
/** What runs a workload. */
export type CaseRuntime = (typeof CASE_RUNTIMES)[number];
/** A subject. */
export type SubjectInfo = z.infer<typeof SubjectInfo>;
/** A subject that was left out. */
export type MissingSubject = z.infer<typeof MissingSubject>;
/** A case. */
export type CaseInfo = z.infer<typeof CaseInfo>;
/** One finished run. */
export type Run = z.infer<typeof Run>;
/** What the runs of one case and subject come to, for one metric. */
export interface SummaryRow {
  readonly case: string;
  readonly subject: string;
  readonly metric: string;
  readonly unit: Metric["unit"];
  readonly better: Metric["better"];
  /** The median of the values, in the unit. */
  readonly value: number;
  /** Of the ratios to the baseline's run in the same round; absent for the baseline itself. */
  readonly ratio?: Omit<Estimate, "count"> & {
    readonly baseline: string;
    readonly pairs: number;
  };
}
/** The machine. */
export type MachineInfo = z.infer<typeof MachineInfo>;
/** The whole file. */
export type StoredResults = z.infer<typeof StoredResults>;
/** Results with what their runs come to. */
export interface Results extends StoredResults {
  readonly summary: readonly SummaryRow[];
}
