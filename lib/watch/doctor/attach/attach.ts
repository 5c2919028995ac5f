/**
 * Reading the JavaScript heap of a running Node or Deno from outside, by its inspector: SIGUSR1 opens
 * it, and it is closed again. Only when asked for: the program prints a line about it, and whoever
 * reaches its loopback could use it meanwhile.
 *
 * @module
 */
import { readlinkSync } from "node:fs";
import process from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import { figures } from "../../../allocators/statistics.ts";
import { DoctorError } from "../../../errors.ts";
import { JAVASCRIPT_FIGURES, type JavaScriptFigures } from "../../memory/types.ts";
import { programOf, runtimeOf } from "../../processes/runtime.ts";
import { attempt, openProcess, type ProcessSource, readText } from "../process-source.ts";
import { listeningPorts, openSession, waitFor } from "./inspector.ts";

/** A process's heap that is read from outside. */
export interface AttachedHeap {
  /**
   * Reads what the runtime counts.
   *
   * @throws {DoctorError} when it does not answer.
   */
  read(): Promise<JavaScriptFigures>;
  /**
   * Closes the inspector.
   *
   * @throws {DoctorError} when it is still open then.
   */
  close(): Promise<void>;
}

const SIGNAL = "SIGUSR1";

/** The bit of SIGUSR1 in the masks of `/proc/PID/status`. */
const SIGNAL_BIT = 1n << 9n;

/** Both have Node's global `process`. */
const READ = "JSON.stringify(process.memoryUsage())";

/** It closes after the answer: closing waits for the session that asks for it. */
const CLOSE = 'void setTimeout(() => process.getBuiltinModule("node:inspector").close(), 10)';

/**
 * Node asks itself in three ways to open the inspector, and on a busy machine the last of them may come
 * after the first was obeyed. One that has been closed before that is opened again.
 */
const SETTLE_MS = 250;
const MAX_CLOSINGS = 3;

/**
 * Opens the inspector of a process.
 *
 * @throws {DoctorError} when the process is no Node or Deno, would be ended by the signal, or does not
 * open an inspector.
 */
export async function attachHeap(pid: number): Promise<AttachedHeap> {
  await checkProcess(pid);
  const ports = () => attempt(pid, `/proc/${pid}/fd`, () => listeningPorts(pid));
  const before = ports();
  try {
    process.kill(pid, SIGNAL);
  } catch (error) {
    throw refusal(pid, `this user may not send it ${SIGNAL}`, error);
  }
  const port = await waitFor(() => [...ports()].find((each) => !before.has(each)));
  if (port === null) {
    throw refusal(
      pid,
      `it opened no inspector after ${SIGNAL}. It may have been open before (--inspect), port 9229 may ` +
        "be in use, or the program handles the signal itself",
    );
  }
  const isClosed = (): true | undefined => ports().has(port) ? undefined : true;
  /** With what was wrong in one message, wherever it comes from. */
  const explained = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw refusal(pid, `its inspector, on port ${port}, ${error.message}`, error);
    }
  };
  let session = await explained(async () => {
    await wait(SETTLE_MS);
    return await openSession(port);
  });
  const close = async (): Promise<void> => {
    for (let time = 1;; time++) {
      try {
        await session.evaluateLast(CLOSE);
      } finally {
        await session.ended();
      }
      await waitFor(isClosed);
      await wait(SETTLE_MS);
      if (isClosed() === true) return;
      if (time === MAX_CLOSINGS) break;
      session = await openSession(port);
    }
    throw new RangeError("is still open, as it was asked to close");
  };
  return {
    read: () => explained(async () => parseUsage(await session.evaluate(READ))),
    close: () => explained(close),
  };
}

/** SIGUSR1 ends what does not expect it, Bun among others: nothing is sent unless all of it fits. */
async function checkProcess(pid: number): Promise<void> {
  const source = openProcess(pid);
  const program = programOf(attempt(pid, `/proc/${pid}/exe`, () => runtimeOf(`/proc/${pid}/exe`)));
  if (program?.inspector !== true) {
    throw refusal(
      pid,
      `it runs ${
        program?.title ?? "no JavaScript runtime that offheap knows"
      }, which ${SIGNAL} would ` +
        "end. Only Node and Deno open an inspector by it",
    );
  }
  // Deno handles it a moment after its start.
  if (await waitFor(() => handlesSignal(source) ? true : undefined) === null) {
    throw refusal(pid, `it does not handle ${SIGNAL}, which would end it`);
  }
  if (networkOf(pid) !== networkOf(process.pid)) {
    throw refusal(
      pid,
      "its loopback is that of another container. Run offheap in there (docker exec)",
    );
  }
}

function handlesSignal(source: ProcessSource): boolean {
  const mask = /^SigCgt:\s*([0-9a-f]+)$/m.exec(readText(source, "status"))?.[1] ?? "0";
  return (BigInt(`0x${mask}`) & SIGNAL_BIT) !== 0n;
}

function networkOf(pid: number): string {
  const path = `/proc/${pid}/ns/net`;
  return attempt(pid, path, () => readlinkSync(path));
}

function refusal(pid: number, why: string, cause?: unknown): DoctorError {
  return new DoctorError(`Cannot attach to process ${pid}: ${why}.`, { cause });
}

/** What `process.memoryUsage()` says, in the shape that all figures have. */
function parseUsage(text: unknown): JavaScriptFigures {
  const usage = JSON.parse(String(text)) as NodeJS.MemoryUsage;
  return figures(
    JAVASCRIPT_FIGURES,
    {
      used: usage.heapUsed,
      total: usage.heapTotal,
      external: usage.external,
      arrayBuffers: usage.arrayBuffers,
    },
    "the inspector was not asked for it",
  );
}
