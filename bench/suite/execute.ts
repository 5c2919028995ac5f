/**
 * One run of a program under a subject, by the engine of `offheap compare`: read, and refused when another allocator than the
 * subject's served it.
 *
 * @module
 */
import { z } from "zod";
import { execute as runOnce, type RunResult } from "../../lib/watch/compare/execute.ts";
import { RunError } from "../../lib/watch/compare/program.ts";
import { prepareVariant } from "../../lib/watch/compare/variants.ts";
import { type MemorySeries, WorkloadOutput } from "./format.ts";
import type { PlannedCase, Step } from "./plan.ts";
import type { Run } from "./results.ts";
import { neutralEnvironment, placeOf, type Subject } from "./prepare.ts";

/** How much longer than expected a run may take before it counts as hanging. */
const PATIENCE = 20;
const MIN_PATIENCE_MS = 120_000;
const SAID_LIMIT = 8000;

function lastLine(text: string): string {
  return text.trimEnd().split("\n").at(-1) ?? "";
}

function readOutput(what: string, { stdout, output }: RunResult): WorkloadOutput {
  const line = lastLine(stdout);
  let problem: string;
  try {
    const parsed = WorkloadOutput.safeParse(JSON.parse(line));
    if (parsed.success) return parsed.data;
    problem = z.prettifyError(parsed.error);
  } catch (error) {
    problem = error instanceof Error ? error.message : String(error);
  }
  throw new RunError(
    `Cannot read what ${what} printed: ${problem}\nIts last line: ${line.slice(0, SAID_LIMIT)}\n` +
      output.slice(-SAID_LIMIT),
  );
}

/** libc's file, as evidence names it; musl would not be named so. */
const LIBC = /\blibc\.so\.6\b/;

/**
 * Checks who served `malloc` inside a run.
 *
 * @throws {RunError} when it was not the subject's allocator, from the subject's own file.
 */
export function requireServed(
  what: string,
  { info, files }: Pick<Subject, "info" | "files">,
  { allocator, verified, object }: WorkloadOutput["servedBy"],
): void {
  const [file] = files;
  const wanted = file === undefined ? "libc.so.6" : placeOf(file);
  const fromFile = file === undefined
    ? LIBC.test(object)
    : files.some((path) => object.includes(path));
  if (allocator === info.allocator && verified && fromFile) return;
  throw new RunError(
    `Cannot count ${what}: malloc must be served by ${info.allocator} of ${wanted}, verified; ` +
      `got ${allocator}, ${verified ? "verified" : "not verified"}, ${object || "no object"}`,
  );
}

const KIB = 1024;

function wholeKib(values: readonly (number | null)[]): (number | null)[] {
  return values.map((value) => value === null ? null : Math.round(value / KIB) * KIB);
}

/** A series whose sizes are whole KiB, and whose times are whole milliseconds: shorter in a file. */
export function compactSeries(series: MemorySeries): MemorySeries {
  const sizes = (values: readonly number[]): number[] =>
    values.map((value) => Math.round(value / KIB) * KIB);
  return {
    time: series.time.map(Math.round),
    resident: sizes(series.resident),
    heap: sizes(series.heap),
    external: sizes(series.external),
    live: wholeKib(series.live),
    held: wholeKib(series.held),
    phases: series.phases.map(({ name, start }) => ({ name, start: Math.round(start) })),
  };
}

/** The one round whose memory over time is kept. */
const SERIES_ROUND = 1;

/**
 * Does one step.
 *
 * @param abort Ends the program when it is aborted.
 * @throws {RunError} when the program fails, takes far too long, prints something else than its
 * contract says, or ran under another allocator.
 */
export async function execute(
  step: Step,
  { command, seconds }: PlannedCase,
  subject: Subject,
  abort: AbortSignal,
): Promise<Run> {
  const what = `${step.case} under ${step.subject}`;
  const limit = Math.max(MIN_PATIENCE_MS, seconds * PATIENCE * 1000);
  const { environment } = prepareVariant(subject.variant, command, neutralEnvironment());
  const program = { command, ready: null, load: null, idleAfterMs: null, metric: null };
  const ended = await runOnce(program, environment, limit, abort).catch((error) => {
    throw error instanceof RunError ? new RunError(`${what}: ${error.message}`) : error;
  });
  if (ended.status !== 0) {
    const how = ended.signal ?? `status ${ended.status}`;
    throw new RunError(`${what} ended with ${how}; it said:\n${ended.output.slice(-SAID_LIMIT)}`);
  }
  const { memory, ...output } = readOutput(what, ended);
  requireServed(what, subject, output.servedBy);
  const kept = memory !== undefined && step.round === SERIES_ROUND;
  return {
    ...step,
    seconds: Math.round(ended.seconds * 1000) / 1000,
    output: kept ? { ...output, memory: compactSeries(memory) } : output,
  };
}
