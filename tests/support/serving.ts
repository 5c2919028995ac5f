/**
 * `offheap serve`, as a process.
 *
 * @module
 */
import { type Running, startUntil } from "../../tools/processes.ts";
import { childEnvironment, offheapCommand } from "./runtime.ts";

/** A server that listens. */
export interface Serving extends Pick<Running<string>, "pid" | "standardError" | "end"> {
  /** Where it listens. */
  readonly url: string;
  /** The token that it printed; empty where it has none. */
  readonly token: string;
  /** The header that has it. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Starts it at a free port. */
export async function startServing(...words: readonly string[]): Promise<Serving> {
  const at = words.includes("--listen") ? [] : ["--listen", "127.0.0.1:0"];
  const { found: { url, token }, pid, standardError, end } = await startUntil(
    offheapCommand("serve", ...at, ...words),
    { env: childEnvironment(), stdio: ["ignore", "pipe", "pipe"] },
    (text) => {
      const url = /^metrics: (https?:\/\/[^/]+)\/metrics/m.exec(text)?.[1];
      if (url === undefined) return;
      return { url, token: decodeURIComponent(/#token=(\S+)/.exec(text)?.[1] ?? "") };
    },
  );
  return {
    pid,
    url,
    token,
    headers: token === "" ? {} : { authorization: `Bearer ${token}` },
    standardError,
    end: (signal = "SIGTERM") => end(signal),
  };
}
