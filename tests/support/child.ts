/**
 * Child processes that a test looks at from outside.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { startUntil } from "../../tools/processes.ts";
import { childEnvironment } from "./runtime.ts";

/** The longest that a child may take to answer, in milliseconds. */
const PATIENCE = 60_000;

/** A child that has answered. */
export interface AnsweringChild {
  /** Its process ID. */
  readonly pid: number;
  /** What it wrote so far. */
  readonly output: () => string;
  /** Sends a line and waits until the same line came back. */
  readonly ask: (line: string) => Promise<void>;
}

/** How a child is started. */
export interface ChildOptions {
  /** Changes of the environment; `undefined` removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** The user that it runs as; only root can give another. */
  readonly uid?: number;
}

/**
 * Starts a command, waits until it answers `ready` with `ready` (or says so by itself), runs the
 * test with it, then kills it by its process ID and waits for its end.
 */
export async function withChild<R>(
  command: string,
  args: readonly string[],
  options: ChildOptions,
  use: (child: AnsweringChild) => R | Promise<R>,
): Promise<R> {
  const env = childEnvironment(options.env);
  const user = options.uid === undefined ? {} : { uid: options.uid };
  const child = spawn(command, [...args], { env, stdio: ["pipe", "pipe", "pipe"], ...user });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  let output = "";
  let errors = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => output += text);
  child.stderr.setEncoding("utf8").on("data", (text: string) => errors += text);
  child.stdin.on("error", () => {}); // it may have ended; what is waited for says so
  const ask = async (line: string): Promise<void> => {
    child.stdin.write(`${line}\n`);
    await waitFor(child, line, () => output.split("\n").includes(line), () => output + errors);
  };
  try {
    await ask("ready");
    return await use({ pid: child.pid ?? 0, output: () => output, ask });
  } catch (error) {
    const how = child.signalCode ?? child.exitCode;
    if (how === null) throw error;
    throw new Error(`the program had ended by itself (${how}): ${output}${errors}`, {
      cause: error,
    });
  } finally {
    child.kill("SIGKILL");
    if (child.pid !== undefined) await ended;
  }
}

/** How a command is started that is only looked at. */
interface DuringOptions {
  readonly variables?: Readonly<Record<string, string>>;
  readonly uid?: number;
}

/** Works while a command runs, from its first output on. */
export async function during<T>(
  command: readonly string[],
  work: (pid: number, child: ChildProcess) => Promise<T>,
  { variables, uid }: DuringOptions = {},
): Promise<T> {
  const user = uid === undefined ? {} : { uid, gid: uid };
  const options = { env: childEnvironment(variables), ...user };
  const { pid, child } = await startUntil(command, options, (text) => text);
  try {
    return await work(pid, child);
  } finally {
    child.kill("SIGKILL");
  }
}

/** What all tests of a file use. */
export interface Shared<T> {
  /** Starts it for the first that asks. */
  readonly get: () => Promise<T>;
  /** Ends it, where it was started. */
  readonly end: () => Promise<void>;
}

/** Has one for all tests of what `start` has while `use` runs. */
export function shared<T>(start: (use: (made: T) => Promise<void>) => Promise<void>): Shared<T> {
  const released = Promise.withResolvers<void>();
  let ended: Promise<void> | undefined;
  let made: Promise<T> | undefined;
  const get = (): Promise<T> =>
    made ??= new Promise((resolve, reject) => {
      ended = start((one) => {
        resolve(one);
        return released.promise;
      });
      ended.catch(reject);
    });
  return {
    get,
    end: async () => {
      released.resolve();
      await ended;
    },
  };
}

function waitFor(
  child: ChildProcess,
  what: string,
  isDone: () => boolean,
  written: () => string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const limit = setTimeout(() => finish(`took longer than ${PATIENCE / 1000} s`), PATIENCE);
    const look = (): void => {
      if (isDone()) finish(null);
    };
    const onEnd = (): void => finish(isDone() ? null : "ended");
    const onError = (error: Error): void => finish(error.message);
    child.stdout?.on("data", look);
    child.once("close", onEnd).once("error", onError);
    look();

    function finish(problem: string | null): void {
      clearTimeout(limit);
      child.stdout?.off("data", look);
      child.off("close", onEnd).off("error", onError);
      if (problem === null) resolve();
      else reject(new Error(`the child ${problem} before "${what}"; it wrote: ${written()}`));
    }
  });
}
