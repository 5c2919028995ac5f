/**
 * What a metric is, and what metrics are read from.
 *
 * @module
 */
import type { ProcessAllocator } from "../../allocators/mod.ts";
import type { AgentStats } from "../agent/types.ts";
import type { ProcessMemory } from "../memory/types.ts";

/** The names and values that distinguish the series of a metric. */
export type MetricLabels = Readonly<Record<string, string>>;

/** One value of a metric. */
export interface MetricSample {
  /** Which of its series. */
  readonly labels: MetricLabels;
  /** Its value. */
  readonly value: number;
}

/**
 * - `counter`: it only rises, for as long as the process lives;
 * - `amount`: how much there is of something that can be added up over processes;
 * - `state`: anything else, such as 0 and 1.
 */
export type MetricKind = "counter" | "amount" | "state";

/** What a metric counts, by UCUM as OpenTelemetry has it: bytes, seconds, or things in brackets. */
export type MetricUnit = "By" | "s" | `{${string}}`;

/** Who serves `malloc` in a process, and how it got there. */
export interface Serving {
  /** Its name. */
  readonly name: ProcessAllocator | "static";
  /** Its version; `null` when it does not report one. */
  readonly version: string | null;
  /** Whether it was proven from inside. */
  readonly verified: boolean;
  /** The profile of the launch; `null` without one. */
  readonly profile: string | null;
  /**
   * Whether the process was started to be under offheap's libraries, and is not; `null` where that was
   * not asked for, or cannot be seen.
   */
  readonly lost: boolean | null;
}

/** One snapshot of one process, of which all metrics of a scrape are read. */
export interface MetricReading {
  /** Who serves `malloc`. */
  readonly serving: Serving;
  /** Where its memory is. */
  readonly memory: Pick<
    ProcessMemory,
    "allocator" | "own" | "runtimeAllocator" | "kernel" | "group" | "parts"
  >;
  /** What its agent counts; `null` where none answers. */
  readonly agent: AgentStats | null;
}

/** One metric: a row of the table that everything is made of. */
export interface Metric {
  /** Its name, in parts, without offheap's: `allocator.allocated`. */
  readonly name: string;
  /** What kind of value it is. */
  readonly kind: MetricKind;
  /** What it counts. */
  readonly unit: MetricUnit;
  /** What it says, as a clause. */
  readonly help: string;
  /** The labels of its series. */
  readonly labels: readonly string[];
  /** Where its figure comes from, for the guide. */
  readonly from: string;
  /** The metric of prom-client's own that has it already: it is not registered beside it. */
  readonly alreadyIn?: string;
  /** Its name and labels where OpenTelemetry has a convention for it. */
  readonly convention?: {
    readonly name: string;
    readonly labels: MetricLabels;
  };
  /** Its samples; none for what was not counted. */
  read(reading: MetricReading): readonly MetricSample[];
}
