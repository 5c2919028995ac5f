/**
 * The doctor's look at memory: of this process by code, of another one from outside.
 *
 * @module
 */
import process from "node:process";
import { inspect } from "node:util";
import { runtimeInfo } from "../../../../ffi/mod.ts";
import { findAllocator, type ProcessAllocator } from "../../../allocators/mod.ts";
import { AgentError } from "../../../errors.ts";
import { ownOptions, requireSignal } from "../../../options.ts";
import { askAgent } from "../../agent/client.ts";
import { wantsAgent } from "../../agent/sockets.ts";
import { purgeProcess } from "../../memory/act.ts";
import { programOf, runtimeNamed, runtimeOf } from "../../processes/runtime.ts";
import { quoteCommand } from "../advice.ts";
import { attachHeap } from "../attach/attach.ts";
import { attempt } from "../process-source.ts";
import type { ProcessReport } from "../types.ts";
import { judgeMemory } from "./judge.ts";
import { observeOther, observeOwn } from "./observe.ts";
import type { MemoryReport, Patient, PurgeOutcome } from "./types.ts";
import { watchMemory } from "./watch.ts";

/** How memory is looked at. */
export interface DiagnoseOptions {
  /** For how long to watch it, in milliseconds: growth takes time. One look without it. */
  readonly watch?: number | undefined;
  /** `purge` has the allocator give memory back, and reports what came. Nothing is tried without it. */
  readonly try?: "purge" | undefined;
  /** Ends watching early; what was seen until then counts. */
  readonly signal?: AbortSignal | undefined;
}

/** The same of another process. */
export interface DiagnoseProcessOptions extends DiagnoseOptions {
  /** Whether to open its inspector for its JavaScript heap, see {@linkcode attachHeap}. */
  readonly attach?: boolean | undefined;
}

const LONGEST = 24 * 3600 * 1000;

/**
 * Finds out where this process's memory is, and what is wrong with it: nothing, memory that the
 * allocator holds back after a burst, fragmentation, growth of native memory or of the JavaScript heap,
 * huge pages, or arenas of threads. It says what it rests on, how sure it is, and what to do.
 *
 * @throws {TypeError | RangeError} for bad options.
 * @throws {PermissionError} when the runtime does not permit FFI, reading, or the environment.
 * @example
 * ```ts
 * import { diagnoseMemory } from "@offheap/offheap";
 *
 * const { verdict, because, next, parts } = await diagnoseMemory({ watch: 1000 });
 * console.log(`${verdict}: ${because}; next: ${next}`);
 * console.log(parts.javaScriptHeap, parts.heldBack, parts.fragmentation);
 * ```
 */
export async function diagnoseMemory(options: DiagnoseOptions = {}): Promise<MemoryReport> {
  const action = "look at memory";
  const { watch = 0, try: tried, signal } = ownOptions(action, options, ["watch", "try", "signal"]);
  checkWatch(watch);
  requireSignal(action, options, signal);
  if (tried !== undefined && tried !== "purge") {
    throw new RangeError(`Cannot ${action}: try must be "purge"; got ${inspect(tried)}`);
  }
  const patient: Patient = {
    pid: null,
    runtime: runtimeNamed(runtimeInfo().name),
    command: quoteCommand([process.execPath, ...process.execArgv, ...process.argv.slice(1)]),
    hasAgent: false,
  };
  const observations = await watchMemory(observeOwn, { milliseconds: watch, signal });
  if (tried === undefined) return judgeMemory({ patient, observations, purged: null });
  const { returned: _, ...outcome } = purgeProcess();
  return judgeMemory({ patient, observations, purged: { outcome, after: observeOwn(true) } });
}

function checkWatch(watch: number): void {
  if (typeof watch === "number" && watch >= 0 && watch <= LONGEST) return;
  const Kind = typeof watch === "number" ? RangeError : TypeError;
  throw new Kind(
    `Cannot look at memory: watch must be a number of milliseconds from 0 to ${LONGEST}; got ` +
      inspect(watch),
  );
}

/**
 * The same of another process, from outside: by its agent, and what the kernel says. Linux only.
 *
 * @param report What was found of who serves `malloc` in it.
 * @throws {DoctorError} when it cannot be attached to, as was asked for.
 * @throws {SystemInfoError} when it ends meanwhile.
 */
export async function diagnoseProcess(
  report: ProcessReport,
  { watch = 0, try: tried, attach = false, signal }: DiagnoseProcessOptions = {},
): Promise<MemoryReport> {
  const { pid, command } = report;
  const patient: Patient = {
    pid,
    runtime: attempt(pid, `/proc/${pid}/exe`, () => runtimeOf(`/proc/${pid}/exe`)),
    command: quoteCommand(command),
    hasAgent: wantsAgent(pid),
  };
  const allocator: ProcessAllocator = findAllocator(report.allocator)?.name ?? "unknown";
  const attached = attach ? await attachHeap(pid) : null;
  try {
    const heap = attached?.read ?? whyNoHeap(patient);
    const observe = (full: boolean) => observeOther({ pid, allocator, heap }, full);
    const observations = await watchMemory(observe, { milliseconds: watch, signal });
    if (tried === undefined) return judgeMemory({ patient, observations, purged: null });
    const resident = observations.at(-1)?.kernel.rss ?? 0;
    const purged = await purgeOther(pid);
    const outcome = typeof purged !== "string" ? purged : {
      residentBefore: resident,
      residentAfter: resident,
      milliseconds: 0,
      refused: purged.replace(/\.$/, ""),
    };
    return judgeMemory({
      patient,
      observations,
      purged: { outcome, after: await observe(true) },
    });
  } finally {
    await attached?.close();
  }
}

function whyNoHeap({ runtime }: Patient): string {
  const program = programOf(runtime);
  if (program === null) return "it runs no JavaScript";
  return program.inspector
    ? "it can be seen from inside, or with --attach"
    : `${program.title}'s can be seen from inside only, by diagnoseMemory()`;
}

/** Has the agent of a process give memory back; a string says why it cannot be asked. */
export async function purgeOther(pid: number): Promise<PurgeOutcome | string> {
  try {
    const { residentBefore, residentAfter, milliseconds, refused } = await askAgent(pid, "purge");
    return { residentBefore, residentAfter, milliseconds, refused };
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return error.message;
  }
}
