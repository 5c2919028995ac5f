/**
 * What a server is put under: the user's own command, or requests at a fixed rate.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { readVariable } from "../../environment.ts";
import { CompareError } from "../../errors.ts";
import type { Figures } from "./types.ts";

/** How a server is put under load. */
export type LoadPlan =
  /** A command for the shell; its time is a figure. */
  | { readonly command: string }
  /** Requests that arrive at a fixed rate, however fast they are answered. */
  | { readonly url: URL; readonly rate: number; readonly seconds: number };

/** What the load has measured, and printed. */
export interface LoadResult {
  readonly figures: Figures;
  readonly output: string;
}

/**
 * The load generator: it sends at a fixed rate, and corrects the latencies for the requests that
 * would have been sent while it waited.
 */
const GENERATOR = "autocannon";
const MILLISECONDS = 1000;

/** The generator in the project's packages or on the path. */
function findGenerator(): string {
  const directories: string[] = [];
  for (let at = process.cwd();; at = dirname(at)) {
    directories.push(join(at, "node_modules", ".bin"));
    if (at === dirname(at)) break;
  }
  directories.push(...(readVariable("PATH") ?? "").split(delimiter).filter((part) => part !== ""));
  const found = directories.map((directory) => join(directory, GENERATOR)).find(existsSync);
  if (found !== undefined) return found;
  throw new CompareError(
    `Cannot send requests: ${GENERATOR} is not installed. Install it (npm install --save-dev ` +
      `${GENERATOR}), or give a command of your own by --load.`,
  );
}

/**
 * Checks that a load can be put on.
 *
 * @throws {CompareError} when the load generator is not there.
 */
export function requireLoad(plan: LoadPlan | null): void {
  if (plan !== null && "url" in plan) findGenerator();
}

async function runToEnd(child: ChildProcess, what: string): Promise<{ out: string; all: string }> {
  let out = "";
  let all = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    out += text;
    all += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => all += text);
  const status = await new Promise<number | string | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(code ?? signal));
  });
  if (status === 0) return { out, all };
  throw new CompareError(`The load, ${what}, ended with ${status}. It wrote: ${all.trim()}`);
}

/** What is read of the generator's report; its times are milliseconds. */
interface GeneratorReport {
  readonly latency: { readonly p50: number; readonly p99: number };
  readonly requests: { readonly average: number };
  readonly errors: number;
  readonly timeouts: number;
  readonly non2xx: number;
}

function readReport(text: string): Figures {
  const { latency, requests, errors, timeouts, non2xx }: GeneratorReport = JSON.parse(text);
  if (errors + timeouts + non2xx > 0) {
    throw new CompareError(
      `The requests were not all answered: ${errors} failed, ${timeouts} timed out, ${non2xx} got ` +
        "another status than 2xx. Take a lower --rate, or another URL.",
    );
  }
  return {
    requestsPerSecond: requests.average,
    latencyP50Seconds: latency.p50 / MILLISECONDS,
    latencyP99Seconds: latency.p99 / MILLISECONDS,
  };
}

/**
 * Puts a server under load, in the user's own environment.
 *
 * @throws {CompareError} when the load fails, or not all requests were answered.
 */
export async function putUnderLoad(plan: LoadPlan, signal: AbortSignal): Promise<LoadResult> {
  const stdio: ["ignore", "pipe", "pipe"] = ["ignore", "pipe", "pipe"];
  if ("command" in plan) {
    const begin = performance.now();
    const child = spawn("/bin/sh", ["-c", plan.command], { stdio, signal });
    const { all } = await runToEnd(child, `"${plan.command}"`);
    return {
      figures: { wallSeconds: (performance.now() - begin) / MILLISECONDS },
      output: all,
    };
  }
  const args = ["--json", "-R", `${plan.rate}`, "-d", `${plan.seconds}`, plan.url.href];
  const child = spawn(findGenerator(), args, { stdio, signal });
  const { out, all } = await runToEnd(child, `${GENERATOR} ${args.join(" ")}`);
  return { figures: readReport(out), output: all };
}
