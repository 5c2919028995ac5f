/**
 * `offheap serve`, as a process.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { childEnvironment, offheapCommand } from "./runtime.ts";

/** A server that listens. */
export interface Serving {
  /** Its process ID. */
  readonly pid: number;
  /** Where it listens. */
  readonly url: string;
  /** The token that it printed; empty where it has none. */
  readonly token: string;
  /** The header that has it. */
  readonly headers: Readonly<Record<string, string>>;
  /** What it has written to standard error until now. */
  standardError(): string;
  /** Ends it; how it ended. */
  end(signal?: NodeJS.Signals): Promise<number | null>;
}

/** Starts it at a free port. */
export function startServing(...words: readonly string[]): Promise<Serving> {
  const at = words.includes("--listen") ? [] : ["--listen", "127.0.0.1:0"];
  const [file, ...args] = offheapCommand("serve", ...at, ...words);
  const child = spawn(file, args, { env: childEnvironment(), stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  let text = "";
  let standardError = "";
  return new Promise((resolve, reject) => {
    child.stderr.setEncoding("utf8").on("data", (part: string) => standardError += part);
    child.stdout.setEncoding("utf8").on("data", (part: string) => {
      text += part;
      const url = /^metrics: (https?:\/\/[^/]+)\/metrics/m.exec(text)?.[1];
      if (url === undefined) return;
      const token = decodeURIComponent(/#token=(\S+)/.exec(text)?.[1] ?? "");
      resolve({
        pid: child.pid ?? 0,
        url,
        token,
        headers: token === "" ? {} : { authorization: `Bearer ${token}` },
        standardError: () => standardError,
        end(signal = "SIGTERM") {
          child.kill(signal);
          return ended;
        },
      });
    });
    void ended.then(() => reject(new Error(`offheap serve ended: ${text}${standardError}`)));
  });
}
