/**
 * Child processes: those that are run to their end, whose output is collected and which a limit of
 * time ends, and those that are used once they have said that they are ready. With a group of their
 * own all that they started is ended with them.
 *
 * The packages that do this (execa, tinyexec, nano-spawn) end one process, not its group, and say
 * nothing of what it left running; both are what a test runner needs.
 *
 * @module
 */
import { type ChildProcess, spawn, type SpawnOptions } from "node:child_process";
import process from "node:process";

/** How a command ended. */
export interface Ending {
  /** Its exit status; `null` after a signal. */
  readonly status: number | null;
  /** The signal that ended it. */
  readonly signal: NodeJS.Signals | null;
  /** Whether it was ended because it took too long. */
  readonly late: boolean;
  /**
   * Whether processes of its group were running two seconds after it had ended, and had its output.
   * Others are ended, too, without a word.
   */
  readonly leftovers: boolean;
  /** What it wrote to standard output. */
  readonly stdout: string;
  /** What it wrote to standard error. */
  readonly stderr: string;
  /** Both, in the order in which they arrived. */
  readonly output: string;
  /** How long it ran, in milliseconds. */
  readonly milliseconds: number;
}

/** How a command is run. Whatever `spawn` takes goes to it. */
export interface CommandOptions extends SpawnOptions {
  /** The longest that it may take, in milliseconds; no limit without it. */
  readonly limit?: number;
  /** What it reads on standard input. */
  readonly input?: string;
  /** Whether it has a process group of its own, which is ended with it; not on Windows. */
  readonly group?: boolean;
  /** Ends it when aborted. */
  readonly abort?: AbortSignal;
}

/** What a command left running may hold the pipes open, and this process with them. */
const GRACE_MS = 2_000;

const POSIX: boolean = process.platform !== "win32";
const running = new Map<ChildProcess, boolean>();

/** Ends every command that still runs. */
export function endRunning(): void {
  for (const [child, group] of running) end(child, group);
}

/**
 * Runs a command to its end.
 *
 * @throws {Error} when it cannot be started.
 */
export function runToEnd(
  [file = "", ...args]: readonly string[],
  { limit, input, group = false, abort, ...options }: CommandOptions = {},
): Promise<Ending> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const child = spawn(file, args, {
      stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
      detached: group && POSIX,
      ...options,
    });
    running.set(child, group);
    const texts = { stdout: "", stderr: "" };
    let output = "";
    let late = false;
    let leftovers = false;
    let grace: NodeJS.Timeout | undefined;
    for (const name of ["stdout", "stderr"] as const) {
      child[name]?.setEncoding("utf8").on("data", (text: string) => {
        texts[name] += text;
        output += text;
      });
    }
    const endNow = (): boolean => end(child, group);
    const timer = limit === undefined ? undefined : setTimeout(() => {
      late = true;
      endNow();
    }, limit);
    abort?.addEventListener("abort", endNow);
    const settle = (): void => {
      clearTimeout(timer);
      clearTimeout(grace);
      abort?.removeEventListener("abort", endNow);
      running.delete(child);
    };
    child.on("error", (error) => {
      settle();
      reject(error);
    });
    child.on("exit", () => {
      clearTimeout(timer);
      if (group) grace = setTimeout(() => leftovers = endNow(), GRACE_MS);
    });
    child.on("close", (status, signal) => {
      if (group) endNow();
      settle();
      const milliseconds = performance.now() - start;
      resolve({ status, signal, late, leftovers, ...texts, output, milliseconds });
    });
    // A command that does not read its input closes the pipe: that is its own affair.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input ?? "");
  });
}

/** A command that runs, and has written what was waited for. */
export interface Running<T> {
  /** Its process ID. */
  readonly pid: number;
  /** The child itself. */
  readonly child: ChildProcess;
  /** What was found in its output. */
  readonly found: T;
  /** What it has written to standard error until now, where that is a pipe. */
  standardError(): string;
  /** Its exit status once it has ended; `null` after a signal. */
  readonly ended: Promise<number | null>;
  /** Ends it, or its group, and waits. */
  end(signal?: NodeJS.Signals): Promise<number | null>;
}

/**
 * Starts a command and waits until it has written what is looked for. Standard error is inherited
 * unless `stdio` says otherwise.
 *
 * @param find Looks at all that it has written to standard output until now.
 * @throws {Error} when it cannot be started, or ends before.
 */
export async function startUntil<T>(
  [file = "", ...args]: readonly string[],
  { group = false, ...options }: SpawnOptions & { readonly group?: boolean },
  find: (stdout: string) => T | undefined,
): Promise<Running<T>> {
  const child = spawn(file, args, {
    stdio: ["ignore", "pipe", "inherit"],
    detached: group && POSIX,
    ...options,
  });
  running.set(child, group);
  let stdout = "";
  let stderr = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => stderr += text);
  const ended = new Promise<number | null>((resolve) =>
    child.once("close", (status) => {
      running.delete(child);
      resolve(status);
    })
  );
  const found = await new Promise<T>((resolve, reject) => {
    child.once("error", (error) => {
      running.delete(child);
      reject(error);
    });
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      const value = find(stdout);
      if (value !== undefined) resolve(value);
    });
    void ended.then((status) => {
      const how = child.signalCode ?? `status ${status}`;
      reject(new Error(`"${file}" ended with ${how} too early: ${stdout}${stderr}`));
    });
  });
  return {
    pid: child.pid ?? 0,
    child,
    found,
    standardError: () => stderr,
    ended,
    end(signal) {
      end(child, group, signal);
      return ended;
    },
  };
}

/** How a command ended, in words. */
export function howItEnded({ status, signal, late }: Ending): string {
  return late ? "took too long and was ended" : `ended with ${signal ?? `status ${status}`}`;
}

/** Ends a child, or its group; whether there was anything left of it. */
function end(child: ChildProcess, group: boolean, signal: NodeJS.Signals = "SIGKILL"): boolean {
  if (child.pid === undefined) return false;
  if (!group || !POSIX) return child.kill(signal);
  try {
    process.kill(-child.pid, signal);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ESRCH") return false;
    throw error;
  }
}
