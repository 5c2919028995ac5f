/**
 * When a server can be asked, and whether its port is free before.
 *
 * @module
 */
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { CompareError } from "../../errors.ts";
import { type ProgramPlan, RunError, type Started, wroteText } from "./program.ts";

const READY_INTERVAL_MS = 20;

/** Whether something answers at a URL's address. */
function answers({ hostname, port, protocol }: URL): Promise<boolean> {
  const host = hostname.replace(/^\[|\]$/g, "");
  return new Promise((resolve) => {
    const socket = connect(Number(port) || (protocol === "https:" ? 443 : 80), host);
    const finish = (result: boolean): void => {
      socket.destroy();
      resolve(result);
    };
    socket.once("connect", () => finish(true)).once("error", () => finish(false));
  });
}

/** The URLs at which the program itself must answer. */
function urlsOf({ ready, load }: ProgramPlan): URL[] {
  return [ready, load].flatMap((each) => each !== null && "url" in each ? [each.url] : []);
}

/**
 * Checks that a server's port is free: what answers before the program has started is another one.
 *
 * @throws {CompareError} when it is busy.
 */
export async function requireFreePort(program: ProgramPlan): Promise<void> {
  for (const url of urlsOf(program)) {
    if (!await answers(url)) continue;
    throw new CompareError(
      `Cannot compare: something answers at ${url} before the program has started. End it, or have ` +
        "the program take another port.",
    );
  }
}

/**
 * Waits until a server is ready.
 *
 * @throws {RunError} when it has ended before, or is not ready in time.
 */
export async function waitUntilReady(
  { pid, output, hasEnded }: Started,
  ready: NonNullable<ProgramPlan["ready"]>,
  deadline: number,
  abort: AbortSignal,
): Promise<void> {
  const isReady = async (): Promise<boolean> => {
    if ("line" in ready) return ready.line.test(output());
    if (!await answers(ready.url)) return false;
    const response = await fetch(ready.url, { signal: abort }).catch(() => null);
    await response?.body?.cancel();
    return response?.ok === true;
  };
  while (!await isReady()) {
    if (hasEnded()) {
      throw new RunError(`The program ended before it was ready.${wroteText(output())}`);
    }
    if (performance.now() > deadline) {
      throw new RunError(
        `The program (process ${pid}) was not ready in time.${wroteText(output())}`,
      );
    }
    await sleep(READY_INTERVAL_MS, undefined, { signal: abort });
  }
}
