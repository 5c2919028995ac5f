/**
 * Prometheus of Debian's package, with a data directory of its own, on loopback.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import { debianRoot } from "../../tools/packages/debian.ts";
import { temporaryDirectory } from "./compile.ts";
import { IS_MUSL } from "./libc.ts";
import { freePort } from "../../tools/free-port.ts";

const LIMIT_MS = 60_000;

/** A program of the package; a string says why it cannot be had. */
function find(name: string): { readonly path: string } | string {
  if (existsSync(`/usr/bin/${name}`)) return { path: `/usr/bin/${name}` };
  if (process.platform !== "linux" || IS_MUSL) {
    return "Debian's prometheus is made for glibc on Linux";
  }
  try {
    return { path: join(debianRoot(["prometheus"]), "usr", "bin", name) };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The server. */
export const PROMETHEUS = find("prometheus");
/** What checks its files. */
export const PROMTOOL = find("promtool");

/** One series of an answer. */
export interface QueriedSeries {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A Prometheus that runs. */
export interface RunningPrometheus {
  /** The value of an expression, as of now. */
  query(expression: string): Promise<QueriedSeries[]>;
  /** The alerts that fire. */
  alerts(): Promise<Readonly<Record<string, string>>[]>;
  /** Waits until an expression has what is wanted. */
  until(
    expression: string,
    what: string,
    isWanted: (series: QueriedSeries[]) => boolean,
  ): Promise<QueriedSeries[]>;
}

async function get<T>(base: string, path: string): Promise<T> {
  const response = await fetch(base + path);
  const { status, data, error } = await response.json() as {
    status: string;
    data: T;
    error?: string;
  };
  if (status !== "success") throw new Error(`${path}: ${error}`);
  return data;
}

/** Runs Prometheus with a configuration, and ends it after the work. */
export async function withPrometheus<R>(
  configuration: object,
  work: (prometheus: RunningPrometheus) => Promise<R>,
): Promise<R> {
  if (typeof PROMETHEUS === "string") throw new Error(PROMETHEUS);
  const directory = temporaryDirectory();
  const data = join(directory, "data");
  mkdirSync(data);
  const file = join(directory, "prometheus.yml");
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(configuration));
  const base = `http://127.0.0.1:${await freePort()}`;
  const child = spawn(PROMETHEUS.path, [
    `--config.file=${file}`,
    `--storage.tsdb.path=${data}`,
    `--web.listen-address=${new URL(base).host}`,
    "--log.level=error",
  ], { stdio: ["ignore", "ignore", "inherit"] });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const query = async (expression: string): Promise<QueriedSeries[]> => {
    const { result } = await get<{
      result: { metric: Record<string, string>; value: [number, string] }[];
    }>(base, `/api/v1/query?query=${encodeURIComponent(expression)}`);
    return result.map(({ metric, value: [, text] }) => ({ labels: metric, value: Number(text) }));
  };
  try {
    return await work({
      query,
      async alerts() {
        const { alerts } = await get<{
          alerts: { state: string; labels: Record<string, string> }[];
        }>(base, "/api/v1/alerts");
        return alerts.filter(({ state }) => state === "firing").map(({ labels }) => labels);
      },
      async until(expression, what, isWanted) {
        const end = performance.now() + LIMIT_MS;
        let last: unknown = "nothing";
        while (performance.now() < end) {
          try {
            const series = await query(expression);
            if (isWanted(series)) return series;
            last = series;
          } catch (error) {
            last = error;
          }
          await wait(250);
        }
        throw new Error(`${expression} has not come to ${what}: ${JSON.stringify(last) ?? last}`);
      },
    });
  } finally {
    child.kill("SIGKILL");
    await ended;
  }
}
