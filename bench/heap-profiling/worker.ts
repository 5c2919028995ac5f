/**
 * A process that does portions of a workload, each when it is asked for.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { cleanEnvironment } from "../../tools/environment.ts";
import { launched, type SetUp } from "./set-ups.ts";

const PORTIONS = fileURLToPath(new URL("portions.ts", import.meta.url));

/** A process that does portions. */
export interface PortionWorker {
  /** Its process ID. */
  readonly pid: number;
  /** Does one; seconds of processor time. */
  portion(): Promise<number>;
  /** Ends it. */
  end(): Promise<void>;
}

// A program that rests between its turns would be given back its memory each time.
const WITHOUT_TRIM: readonly string[] = ["--idle-trim", "1h"];

/** Starts one, and waits until it is warm. */
export async function startWorker(
  node: string,
  workload: string,
  { options, variables = {} }: SetUp,
  warmUp: number,
): Promise<PortionWorker> {
  const setUp = { options: [...options, ...WITHOUT_TRIM] };
  const child = spawn(node, launched(node, setUp, PORTIONS, workload, `${warmUp}`), {
    env: cleanEnvironment(node, variables),
    stdio: ["pipe", "pipe", "ignore"],
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error(`Cannot measure: a process of "${workload}" has ended`);
    return value;
  };
  await next();
  return {
    pid: child.pid ?? 0,
    async portion() {
      child.stdin.write("\n");
      return Number(await next());
    },
    async end() {
      // It ends with its input, and removes its map of code.
      child.stdin.end();
      await ended;
    },
  };
}
