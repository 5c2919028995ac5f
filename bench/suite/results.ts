/**
 * The suite's results as a file: `results.json`, and its JSON schema.
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { UNITS, WorkloadOutput } from "./format.ts";

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

const IntervalEnd = z.number().nullable();

/** What the runs of one case and subject come to, for one metric. */
export const SummaryRow = z.object({
  case: z.string(),
  subject: z.string(),
  metric: z.string(),
  unit: z.enum(UNITS),
  better: z.enum(["higher", "lower"]),
  /** The median of the values, in the unit. */
  value: z.number(),
  /** Of the ratios to the baseline's run in the same round; absent for the baseline itself. */
  ratio: z.object({
    baseline: z.string(),
    median: z.number(),
    low: IntervalEnd,
    high: IntervalEnd,
    /** How likely such an interval holds the true median. */
    coverage: z.number(),
    pairs: z.number().int().positive(),
  }).optional(),
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

/** The whole file. */
export const Results = z.object({
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
  summary: z.array(SummaryRow),
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
/** What runs come to. */
export type SummaryRow = z.infer<typeof SummaryRow>;
/** The machine. */
export type MachineInfo = z.infer<typeof MachineInfo>;
/** The whole file. */
export type Results = z.infer<typeof Results>;

/** The schema's file, beside the results. */
export const SCHEMA_FILE = "results.schema.json";
/** The results' file. */
export const RESULTS_FILE = "results.json";

/** Writes the results, checked, and their schema into a directory. */
export function writeResults(directory: string, results: Results): void {
  const schema = z.toJSONSchema(Results);
  writeFileSync(join(directory, SCHEMA_FILE), `${JSON.stringify(schema, null, 2)}\n`);
  writeFileSync(join(directory, RESULTS_FILE), `${JSON.stringify(Results.parse(results))}\n`);
}

/**
 * Reads results.
 *
 * @throws {Error} when they are missing, or do not fit the schema; the message says where.
 */
export function readResults(directory: string): Results {
  const path = join(directory, RESULTS_FILE);
  let data: unknown;
  try {
    data = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw new Error(`Cannot read results: ${error instanceof Error ? error.message : error}`);
  }
  const parsed = Results.safeParse(data);
  if (parsed.success) return parsed.data;
  throw new Error(`Cannot read results: ${path} does not fit\n${z.prettifyError(parsed.error)}`);
}
