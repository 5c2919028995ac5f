/**
 * One run of a program: started, looked at, put under load, and ended.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { CompareError, OffheapError } from "../../errors.ts";
import { type LoadPlan, putUnderLoad } from "./load.ts";
import { sampleMemory, treeMemory } from "./tree.ts";
import type { Figures, MemoryCurve, Run } from "./types.ts";
import { childUsage, usageBetween } from "./usage.ts";

/** What is run, however it is allocated for. */
export interface ProgramPlan {
  readonly command: readonly [string, ...string[]];
  /** How a server says that it is ready; `null` for a program that ends by itself. */
  readonly ready: { readonly url: URL } | { readonly line: RegExp } | null;
  /** What is done to a server once it is ready. */
  readonly load: LoadPlan | null;
  /** How long a server rests before its idle memory is taken, in milliseconds; `null` for not at all. */
  readonly idleAfterMs: number | null;
  /** What finds the program's own figure in what it or its load prints. */
  readonly metric: RegExp | null;
}

/** What came of a run. */
export interface RunResult {
  readonly figures: Figures;
  readonly status: Run["status"];
  readonly signal: Run["signal"];
  readonly samples: MemoryCurve["samples"];
  /** What was seen that a user should know. */
  readonly notes: readonly string[];
}

/** A run that gives no figures: the variant is left out. */
export class RunError extends OffheapError {
  static {
    this.prototype.name = "RunError";
  }

  /** Makes the error with a sentence for the user. */
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_OFFHEAP_RUN", message, options);
  }
}

/** How much of what a program writes is kept, in characters: its own figure comes last. */
const OUTPUT_KEPT = 1 << 20;
/** How much of it is shown when a run fails. */
const OUTPUT_SHOWN = 600;
/** How long a server may take from SIGTERM to its end before it is killed, in milliseconds. */
const END_PATIENCE_MS = 10_000;
const READY_INTERVAL_MS = 20;
/** The status by which offheap's shim ends a process that another allocator serves, and its words. */
const REFUSED = 125;
const REFUSAL = /^offheap: .*$/m;

interface Started {
  readonly child: ChildProcess;
  readonly pid: number;
  /** The end of all that it has written. */
  readonly output: () => string;
  readonly ended: Promise<{ status: number | null; signal: string | null; at: number }>;
  readonly hasEnded: () => boolean;
}

async function start(
  [file, ...args]: readonly [string, ...string[]],
  env: Readonly<Record<string, string>>,
): Promise<Started> {
  const child = spawn(file, args, { env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-OUTPUT_KEPT);
    });
  }
  let isOver = false;
  const ended = new Promise<{ status: number | null; signal: string | null; at: number }>(
    (resolve) => {
      let at = 0;
      child.once("exit", () => {
        isOver = true;
        at = performance.now();
      });
      // The last that it wrote may come after its end; what it left running may hold the pipes.
      child.once("exit", (status, signal) => {
        const finish = (): void => resolve({ status, signal, at });
        child.once("close", finish);
        setTimeout(finish, END_PATIENCE_MS).unref();
      });
    },
  );
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (error) => {
      reject(new RunError(`Cannot run ${file}: ${error.message}.`));
    });
  });
  const pid = child.pid ?? 0;
  return { child, pid, output: () => output, ended, hasEnded: () => isOver };
}

function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (!(error instanceof Error && Reflect.get(error, "code") === "ESRCH")) throw error;
  }
}

function ending(output: string): string {
  const shown = output.trim().slice(-OUTPUT_SHOWN);
  return shown === "" ? " It wrote nothing." : ` It wrote: ${shown}`;
}

/** Whether something answers at a URL's address. */
function answers({ hostname, port, protocol }: URL): Promise<boolean> {
  const host = hostname.replace(/^\[|\]$/g, "");
  return new Promise((resolve) => {
    const socket = connect(Number(port) || (protocol === "https:" ? 443 : 80), host);
    const finish = (result: boolean): void => {
      socket.destroy();
      resolve(result);
    };
    socket.once("connect", () => finish(true)).once("error", () => finish(false));
  });
}

/**
 * Checks that a server's port is free: what answers before the program has started is another one.
 *
 * @throws {CompareError} when it is busy.
 */
export async function requireFreePort({ ready }: ProgramPlan): Promise<void> {
  if (ready === null || !("url" in ready) || !await answers(ready.url)) return;
  throw new CompareError(
    `Cannot compare: something answers at ${ready.url} before the program has started. End it, or ` +
      "have the program take another port.",
  );
}

async function waitUntilReady(
  { pid, output, hasEnded }: Started,
  ready: NonNullable<ProgramPlan["ready"]>,
  deadline: number,
  abort: AbortSignal,
): Promise<void> {
  const isReady = async (): Promise<boolean> => {
    if ("line" in ready) return ready.line.test(output());
    if (!await answers(ready.url)) return false;
    const response = await fetch(ready.url, { signal: abort }).catch(() => null);
    await response?.body?.cancel();
    return response?.ok === true;
  };
  while (!await isReady()) {
    if (hasEnded()) throw new RunError(`The program ended before it was ready.${ending(output())}`);
    if (performance.now() > deadline) {
      throw new RunError(`The program (process ${pid}) was not ready in time.${ending(output())}`);
    }
    await sleep(READY_INTERVAL_MS, undefined, { signal: abort });
  }
}

/** The last number that the pattern's group finds. */
function readMetric(metric: RegExp, output: string): number {
  const every = new RegExp(metric, metric.flags.includes("g") ? metric.flags : `${metric.flags}g`);
  const value = Number([...output.matchAll(every)].at(-1)?.[1]);
  if (Number.isFinite(value)) return value;
  throw new RunError(`${metric} finds no number in what the program printed.${ending(output)}`);
}

function refusalIn(output: string): string {
  return REFUSAL.exec(output)?.[0] ?? "offheap: this program was not served by it";
}

/**
 * Runs a program once. Nothing of it is left running, whatever happens.
 *
 * @param environment All variables that it gets.
 * @param limitMs The longest that it may take before it is ready, under load, or to its end.
 * @throws {RunError} when the run gives no figures.
 */
export async function execute(
  program: ProgramPlan,
  environment: Readonly<Record<string, string>>,
  limitMs: number,
  abort: AbortSignal,
): Promise<RunResult> {
  abort.throwIfAborted();
  await requireFreePort(program);
  let mark = childUsage();
  const begin = performance.now();
  const started = await start(program.command, environment);
  const sampler = sampleMemory(started.pid, begin);
  const onAbort = (): void => killGroup(started.pid, "SIGKILL");
  abort.addEventListener("abort", onAbort);
  let isLate = false;
  const limit = setTimeout(() => {
    isLate = true;
    onAbort();
  }, limitMs);
  const notes: string[] = [];
  try {
    let figures: Figures = {};
    let printed = "";
    if (program.ready !== null) {
      await waitUntilReady(started, program.ready, begin + limitMs, abort);
      if (program.load !== null) {
        const load = await putUnderLoad(program.load, abort);
        figures = load.figures;
        printed = load.output;
      }
      const atEnd = treeMemory(started.pid);
      figures = { ...figures, endBytes: atEnd.residentBytes };
      if (program.idleAfterMs !== null) {
        await sleep(program.idleAfterMs, undefined, { signal: abort });
        figures = { ...figures, idleBytes: treeMemory(started.pid).residentBytes };
      }
      if (started.hasEnded() && !isLate) {
        throw new RunError(`The program ended while it was looked at.${ending(started.output())}`);
      }
      mark = childUsage(); // what the load has used is not the program's
      killGroup(started.pid, "SIGTERM");
      const killing = setTimeout(() => {
        notes.push(`did not end within ${END_PATIENCE_MS / 1000} s of SIGTERM and was killed`);
        killGroup(started.pid, "SIGKILL");
      }, END_PATIENCE_MS);
      await started.ended;
      clearTimeout(killing);
    }
    const { status, signal, at } = await started.ended;
    abort.throwIfAborted();
    if (isLate) {
      throw new RunError(
        `The program did not end within ${Math.round(limitMs / 1000)} s and was killed.` +
          ending(started.output()),
      );
    }
    if (status === REFUSED && REFUSAL.test(started.output())) {
      throw new RunError(refusalIn(started.output()));
    }
    const own = program.metric === null
      ? {}
      : { metric: readMetric(program.metric, started.output() + printed) };
    if (program.ready === null) figures = { wallSeconds: (at - begin) / 1000 };
    const usage = usageBetween(mark, childUsage());
    const samples = sampler.samples();
    // A program that ended before the first look has no memory that was seen.
    const last = samples.at(-1)?.[1];
    const peak = last === undefined ? {} : { peakBytes: sampler.peakBytes(), endBytes: last };
    return { figures: { ...peak, ...figures, ...usage, ...own }, status, signal, samples, notes };
  } finally {
    clearTimeout(limit);
    sampler.stop();
    abort.removeEventListener("abort", onAbort);
    killGroup(started.pid, "SIGKILL");
    await started.ended;
  }
}
