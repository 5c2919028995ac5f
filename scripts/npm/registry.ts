/**
 * A registry on loopback, from which what was packed is installed as users will. It is verdaccio,
 * pinned by the lock file in `scripts/npm/registry/` and installed below `build/`.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { cleanEnvironment } from "../../tools/environment.ts";
import { freePort } from "../../tools/free-port.ts";
import { installLocked, runOnMachine } from "../../tools/packages/locked.ts";
import { ROOT } from "../../tools/paths.ts";

const START_SECONDS = 60;
const STOP_SECONDS = 10;

/** A registry that runs. */
export interface Registry {
  /** Its address, with a slash at the end. */
  readonly url: string;
  /** The file with npm's settings for it. */
  readonly settings: string;
  /** The archives that were fetched from it so far, such as `koffi/-/koffi-3.3.4.tgz`. */
  fetched(): string[];
  /** Ends it. */
  stop(): Promise<void>;
}

/**
 * Only offheap's own names may be published, by anybody, and they are never asked for elsewhere;
 * all others come from the registry that npm is configured with.
 */
function configuration(directory: string, upstream: string): unknown {
  const own = { access: "$all", publish: "$all", unpublish: "$all" };
  return {
    storage: join(directory, "storage"),
    auth: { htpasswd: { file: join(directory, "users"), max_users: -1 } },
    uplinks: { upstream: { url: upstream, timeout: "60s", maxage: "60m" } },
    packages: {
      "@offheap/*": own,
      offheap: own,
      "**": { access: "$all", proxy: "upstream" },
    },
    web: { enable: false },
    max_body_size: "100mb",
    log: { type: "stdout", format: "json", level: "http", colors: false },
  };
}

async function waitForAnswer(url: string, child: ChildProcess, log: string): Promise<void> {
  const end = Date.now() + START_SECONDS * 1000;
  while (Date.now() < end && child.exitCode === null) {
    try {
      if ((await fetch(`${url}-/ping`)).ok) return;
    } catch {
      // It does not listen yet.
    }
    await delay(100);
  }
  const said = readFileSync(log, "utf8").trim().split("\n").slice(-10).join("\n  ");
  throw new Error(`Cannot start the registry: it does not answer.\n  ${said}`);
}

/**
 * Starts the registry, empty.
 *
 * @param directory An empty directory for what it keeps.
 * @param node Node 22 or newer.
 * @throws {Error} when it cannot be installed, or does not answer in time.
 */
export async function startRegistry(directory: string, node: string): Promise<Registry> {
  const installed = installLocked("registry");
  const config = join(directory, "config.json");
  const upstream = runOnMachine(ROOT, "npm", "config", "get", "registry");
  // YAML takes JSON.
  writeFileSync(config, JSON.stringify(configuration(directory, upstream), null, 2));
  const port = await freePort();
  const log = join(directory, "log");
  const output = openSync(log, "a");
  const script = join(installed, "node_modules", "verdaccio", "bin", "verdaccio");
  const child = spawn(node, [script, "--config", config, "--listen", `127.0.0.1:${port}`], {
    cwd: directory,
    env: cleanEnvironment(node),
    stdio: ["ignore", output, output],
  });
  const stopNow = (): void => void child.kill("SIGKILL");
  process.once("exit", stopNow);
  const url = `http://127.0.0.1:${port}/`;
  const settings = join(directory, "npmrc");
  // npm asks for a token before it publishes; the registry asks for none.
  writeFileSync(settings, `registry=${url}\n//127.0.0.1:${port}/:_authToken=none\n`);
  const stop = async (): Promise<void> => {
    process.off("exit", stopNow);
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    const timer = setTimeout(stopNow, STOP_SECONDS * 1000);
    await ended;
    clearTimeout(timer);
  };
  try {
    await waitForAnswer(url, child, log);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, settings, stop, fetched: () => fetchedArchives(log) };
}

/** The archives that the registry's log says were asked for, in their order. */
function fetchedArchives(log: string): string[] {
  return readFileSync(log, "utf8").split("\n").flatMap((line) => {
    if (!line.startsWith("{")) return [];
    const { request }: { request?: { method: string; url: string } } = JSON.parse(line);
    const url = request?.method === "GET" ? decodeURIComponent(request.url) : "";
    return url.endsWith(".tgz") ? [url.slice(1)] : [];
  });
}
