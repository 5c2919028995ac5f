/**
 * A comparison as a document: what was run, each run, and what comes of it.
 *
 * @module
 */
import { readFileSync, renameSync, rmSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import process from "node:process";
import { CompareError } from "../../errors.ts";
import { writeNamed } from "../../system/files.ts";
import { VERSION } from "../../version.ts";
import { conclude, type Measured, statusDifferences } from "./compare.ts";
import type { JudgeOptions, Outcome } from "./judge.ts";
import { recommend, type Recommendation } from "./recommend.ts";
import type { ComparisonKey, MemoryCurve, Run } from "./types.ts";
import type { LeftOut } from "./variants.ts";

/** The version of the document. It grows when what is in it changes its meaning. */
const FORMAT = 1;

/** The machine that all runs were on. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  /** What else it had to do at the start: the load average of one minute. */
  readonly loadAverage: number;
}

/** A comparison, as `--json` prints it. Times are seconds, sizes bytes, ratios parts of 1. */
export interface Comparison extends ComparisonKey {
  readonly comparison: typeof FORMAT;
  /** The version of offheap. */
  readonly offheap: string;
  /** When it was started, in ISO 8601. */
  readonly started: string;
  readonly machine: Machine;
  readonly judging: JudgeOptions;
  /** Whether it was ended before its time. */
  readonly interrupted: boolean;
  /** How many rounds all figures are of. */
  readonly rounds: number;
  readonly leftOut: readonly LeftOut[];
  readonly notes: readonly string[];
  /** Exit statuses that differ between variants. */
  readonly statuses: readonly string[];
  readonly outcome: Outcome;
  readonly recommendation: Recommendation;
  readonly runs: readonly Run[];
  readonly curves: readonly MemoryCurve[];
}

/** This machine. */
export function describeMachine(): Machine {
  const processors = cpus();
  return {
    processor: processors[0]?.model ?? process.arch,
    cores: processors.length,
    memoryBytes: totalmem(),
    kernel: release(),
    loadAverage: loadavg()[0] ?? 0,
  };
}

/** What is known when a comparison begins. */
export interface Beginning {
  readonly key: ComparisonKey;
  readonly judging: JudgeOptions;
  readonly started: string;
  readonly machine: Machine;
}

/** The document of what was measured. */
export function documentOf(
  { key, judging, started, machine }: Beginning,
  measured: Measured,
  interrupted: boolean,
): Comparison {
  const outcome = conclude(measured, key.variants.map(({ name }) => name), judging);
  const { runs, curves, leftOut, notes } = measured;
  return {
    comparison: FORMAT,
    offheap: VERSION,
    started,
    machine,
    ...key,
    judging,
    interrupted,
    rounds: Math.max(0, ...runs.map(({ round }) => round)),
    leftOut,
    notes,
    statuses: statusDifferences(runs, judging.baseline),
    outcome,
    recommendation: recommend(outcome, key, judging),
    runs,
    curves,
  };
}

/** Writes a document, so that a file of that name is either the old one or the new one. */
export function writeComparison(path: string, comparison: Comparison): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    writeNamed(temporary, `${JSON.stringify(comparison)}\n`);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/**
 * Reads a document.
 *
 * @throws {CompareError} when the file is not one.
 */
export function readComparison(path: string): Comparison {
  let read: unknown;
  try {
    read = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CompareError(`Cannot read the comparison "${path}": ${why}`);
  }
  if (typeof read === "object" && read !== null && Reflect.get(read, "comparison") === FORMAT) {
    return read as Comparison;
  }
  throw new CompareError(
    `Cannot read the comparison "${path}": it must be what "offheap compare --save" has written, of ` +
      `version ${FORMAT}.`,
  );
}

/**
 * What an earlier start has measured, to go on from.
 *
 * @throws {CompareError} when it compared something else.
 */
export function measuredBefore(path: string, key: ComparisonKey): Measured {
  const before = readComparison(path);
  const parts = (["command", "variants", "program", "seed"] as const)
    .filter((name) => JSON.stringify(before[name]) !== JSON.stringify(key[name]));
  if (parts.length > 0) {
    throw new CompareError(
      `Cannot go on with "${path}": its ${parts.join(" and its ")} ` +
        `${
          parts.length > 1 || parts[0] === "variants" ? "differ" : "differs"
        } from what is asked ` +
        "for now. Give the same command and options, or another file.",
    );
  }
  return { runs: [...before.runs], curves: [], leftOut: [], notes: [...before.notes] };
}
