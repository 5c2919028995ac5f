/**
 * One run of a program: started, looked at, put under load, and ended.
 *
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises";
import { putUnderLoad } from "./load.ts";
import { type ProgramPlan, RunError, start, type Started, wroteText } from "./program.ts";
import { requireFreePort, waitUntilReady } from "./ready.ts";
import { sampleMemory, treeMemory } from "./tree.ts";
import type { Figures, MemoryCurve, Run } from "./types.ts";
import { childUsage, type Usage, usageBetween } from "./usage.ts";

/** What came of a run. */
export interface RunResult {
  readonly figures: Figures;
  readonly status: Run["status"];
  readonly signal: Run["signal"];
  /** From its start to its end, in seconds. */
  readonly seconds: number;
  readonly samples: MemoryCurve["samples"];
  /** What it wrote, and of that what went to standard output; the end of it where it is much. */
  readonly output: string;
  readonly stdout: string;
  /** What was seen that a user should know. */
  readonly notes: readonly string[];
}

/** How long a server may take from SIGTERM to its end before it is killed, in milliseconds. */
const END_PATIENCE_MS = 10_000;
/** The first look comes before a program has loaded its libraries: one or two show how it starts. */
const LEAST_LOOKS = 3;
/** The status by which offheap's shim ends a process that another allocator serves, and its words. */
const REFUSED = 125;
const REFUSAL = /^offheap: .*$/m;

/** The last number that the pattern's group finds. */
function readMetric(metric: RegExp, output: string): number {
  const every = new RegExp(metric, metric.flags.includes("g") ? metric.flags : `${metric.flags}g`);
  const value = Number([...output.matchAll(every)].at(-1)?.[1]);
  if (Number.isFinite(value)) return value;
  throw new RunError(
    `${metric} finds no number in what the program printed.${wroteText(output)}`,
  );
}

/** What a server's time between its start and its end comes to. */
interface Served {
  readonly figures: Figures;
  /** What its load printed. */
  readonly printed: string;
  /** What the children had used when it was about to end: what the load used is not the program's. */
  readonly mark: Usage;
}

async function serve(
  { ready, load, idleAfterMs }: ProgramPlan & { ready: NonNullable<ProgramPlan["ready"]> },
  started: Started,
  deadline: number,
  abort: AbortSignal,
): Promise<Served> {
  await waitUntilReady(started, ready, deadline, abort);
  const loaded = load === null ? null : await putUnderLoad(load, abort);
  let figures: Figures = { ...loaded?.figures, endBytes: treeMemory(started.pid).residentBytes };
  if (idleAfterMs !== null) {
    await sleep(idleAfterMs, undefined, { signal: abort });
    figures = { ...figures, idleBytes: treeMemory(started.pid).residentBytes };
  }
  if (started.hasEnded()) {
    throw new RunError(`The program ended while it was looked at.${wroteText(started.output())}`);
  }
  return { figures, printed: loaded?.output ?? "", mark: childUsage() };
}

/** Ends a server; whether it had to be killed. */
async function endServer({ signal, ended }: Started): Promise<boolean> {
  let isKilled = false;
  signal("SIGTERM");
  const killing = setTimeout(() => {
    isKilled = true;
    signal("SIGKILL");
  }, END_PATIENCE_MS);
  await ended;
  clearTimeout(killing);
  return isKilled;
}

/**
 * Runs a program once. Nothing of it is left running, whatever happens.
 *
 * @param environment All variables that it gets.
 * @param limitMs The longest that it may take before it is ready, under load, or to its end.
 * @param onLook Called at each look at its memory, with its process ID.
 * @throws {RunError} when the run gives no figures.
 */
export async function execute(
  program: ProgramPlan,
  environment: Readonly<Record<string, string>>,
  limitMs: number,
  abort: AbortSignal,
  onLook: (pid: number) => void = () => {},
): Promise<RunResult> {
  abort.throwIfAborted();
  await requireFreePort(program);
  const before = childUsage();
  const begin = performance.now();
  const started = await start(program.command, environment);
  const { pid, output, stdout } = started;
  const sampler = sampleMemory(pid, begin, () => onLook(pid));
  const kill = (): void => started.signal("SIGKILL");
  abort.addEventListener("abort", kill);
  let isLate = false;
  const limit = setTimeout(() => {
    isLate = true;
    kill();
  }, limitMs);
  const late = (): RunError =>
    new RunError(
      `The program did not end within ${Math.round(limitMs / 1000)} s and was killed.` +
        wroteText(output()),
    );
  try {
    const notes: string[] = [];
    const { ready } = program;
    const served = ready === null
      ? null
      : await serve({ ...program, ready }, started, begin + limitMs, abort).catch((error) => {
        throw isLate ? late() : error;
      });
    if (served !== null && await endServer(started)) {
      notes.push(`did not end within ${END_PATIENCE_MS / 1000} s of SIGTERM and was killed`);
    }
    const { status, signal, at, leftRunning } = await started.ended;
    abort.throwIfAborted();
    if (isLate) throw late();
    if (leftRunning) notes.push("left processes running, which were ended");
    if (status === REFUSED && REFUSAL.test(output())) {
      throw new RunError(REFUSAL.exec(output())?.[0] ?? "");
    }
    const metric = program.metric === null
      ? {}
      : { metric: readMetric(program.metric, output() + (served?.printed ?? "")) };
    const seconds = (at - begin) / 1000;
    const usage = usageBetween(served?.mark ?? before, childUsage());
    const samples = sampler.samples();
    const last = samples.at(-1)?.[1];
    const peak = last === undefined || samples.length < LEAST_LOOKS
      ? {}
      : { peakBytes: sampler.peakBytes(), endBytes: last };
    const figures = {
      ...peak,
      ...(served === null ? { wallSeconds: seconds } : served.figures),
      ...usage,
      ...metric,
    };
    return {
      figures,
      status,
      signal,
      seconds,
      samples,
      output: output(),
      stdout: stdout(),
      notes: [...new Set(notes)],
    };
  } finally {
    clearTimeout(limit);
    sampler.stop();
    abort.removeEventListener("abort", kill);
    kill();
    await started.ended;
  }
}
