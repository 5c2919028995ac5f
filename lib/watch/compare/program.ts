/**
 * A program as a comparison starts it: in a process group of its own, with all that it writes.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { OffheapError } from "../../errors.ts";
import { errorCode } from "../../system/files.ts";
import type { LoadPlan } from "./load.ts";

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

/** How a program ended. */
export interface Ended {
  readonly status: number | null;
  readonly signal: string | null;
  /** When, by `performance.now()`. */
  readonly at: number;
  /** Whether something that it had started held its output open after that. */
  readonly leftRunning: boolean;
}

/** A program that runs. */
export interface Started {
  readonly pid: number;
  /** What it has written, and of that what went to standard output. */
  readonly output: () => string;
  readonly stdout: () => string;
  readonly ended: Promise<Ended>;
  readonly hasEnded: () => boolean;
  /** Sends a signal to it and all that it has started. */
  readonly signal: (signal: NodeJS.Signals) => void;
}

/** How much of what a program writes is kept, in characters: its own figure comes last. */
const OUTPUT_KEPT = 1 << 20;
/** How much of it is shown when a run fails. */
const OUTPUT_SHOWN = 600;
/** How long the output of a program that has ended is waited for, in milliseconds. */
const OUTPUT_PATIENCE_MS = 2000;

/** What a program wrote, for the end of a message. */
export function wroteText(output: string): string {
  const shown = output.trim().slice(-OUTPUT_SHOWN);
  return shown === "" ? " It wrote nothing." : ` It wrote: ${shown}`;
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (errorCode(error) !== "ESRCH") throw error;
  }
}

/** The last that a program wrote may come after its end; what it left running may hold the pipes. */
function endOf(child: ChildProcess, onExit: () => void): Promise<Ended> {
  return new Promise((resolve) => {
    child.once("exit", (status, signal) => {
      onExit();
      const at = performance.now();
      const finish = (leftRunning: boolean): void => resolve({ status, signal, at, leftRunning });
      const patience = setTimeout(() => finish(true), OUTPUT_PATIENCE_MS);
      child.once("close", () => {
        clearTimeout(patience);
        finish(false);
      });
    });
  });
}

/**
 * Starts a program.
 *
 * @throws {RunError} when it cannot be started.
 */
export async function start(
  [file, ...args]: ProgramPlan["command"],
  env: Readonly<Record<string, string>>,
): Promise<Started> {
  const child = spawn(file, args, { env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let stdout = "";
  const keep = (text: string): string => text.slice(-OUTPUT_KEPT);
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout = keep(stdout + text);
    output = keep(output + text);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => output = keep(output + text));
  let isOver = false;
  const ended = endOf(child, () => isOver = true);
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (error) => reject(new RunError(`Cannot run ${file}: ${error.message}.`)));
  });
  const pid = child.pid ?? 0;
  return {
    pid,
    output: () => output,
    stdout: () => stdout,
    ended,
    hasEnded: () => isOver,
    signal: (signal) => signalGroup(pid, signal),
  };
}
