/**
 * What a workload program prints, and what the suite writes: one schema for both, from which the
 * types and the published JSON schema come.
 *
 * @module
 */
import { z } from "zod";

/** Units of {@linkcode Metric}; times in seconds, sizes in bytes. */
const UNITS = ["1/s", "s", "B", "B/s", "ns", "1"] as const;

/** One figure of a run. */
export const Metric = z.object({
  /** In the unit; finite. */
  value: z.number(),
  unit: z.enum(UNITS),
  /** Which way is better, so that ratios can be judged. */
  better: z.enum(["higher", "lower"]),
});

/** Percentiles of one kind of call, nanoseconds a call, from an HDR histogram. */
export const Latency = z.object({
  count: z.number().int().positive(),
  mean: z.number(),
  p50: z.number(),
  p95: z.number(),
  p99: z.number(),
  p999: z.number(),
  max: z.number(),
});

/** Samples of a process's memory over time, as columns of equal length; sizes in bytes. */
export const MemorySeries = z.object({
  /** Milliseconds since the program began, one a sample. */
  time: z.array(z.number()),
  /** Resident memory, of /proc/self/statm. */
  resident: z.array(z.number()),
  /** Of it: the JavaScript heap that is in use. */
  heap: z.array(z.number()),
  /** Of it: what the runtime counts as external, array buffers included. */
  external: z.array(z.number()),
  /** What the process's allocator has handed out; `null` where it cannot be asked. */
  live: z.array(z.number().nullable()),
  /** What the allocator holds back: its resident memory without what it has handed out. */
  held: z.array(z.number().nullable()),
  /**
   * What the allocator has from the system: `live` and `held` together, and known where they alone
   * are not (a release build of mimalloc counts what it commits, and no single block).
   */
  allocator: z.array(z.number().nullable()).optional(),
  /**
   * Whether the runtime takes the memory of its buffers from the process's allocator, so that
   * `external` is a part of `live`; `null` where the allocator cannot be asked.
   */
  externalInLive: z.boolean().nullable().optional(),
  /** Where each phase began, in milliseconds, by its name. */
  phases: z.array(z.object({ name: z.string(), start: z.number() })),
});

/** What a workload prints as the last line of its output. */
export const WorkloadOutput = z.object({
  /** A digest of what was computed: equal for every subject, runtime and repetition. */
  work: z.string().min(1),
  /** Who serves `malloc` in the process, as it was verified inside. */
  servedBy: z.object({ allocator: z.string(), verified: z.boolean(), object: z.string() }),
  metrics: z.record(z.string(), Metric),
  latencies: z.record(z.string(), Latency).optional(),
  memory: MemorySeries.optional(),
});

/** One figure of a run. */
export type Metric = z.infer<typeof Metric>;
/** Percentiles of one kind of call. */
export type Latency = z.infer<typeof Latency>;
/** Samples of a process's memory over time. */
export type MemorySeries = z.infer<typeof MemorySeries>;
/** What a workload prints. */
export type WorkloadOutput = z.infer<typeof WorkloadOutput>;
