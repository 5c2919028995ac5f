/**
 * What adapters ask of threads. `node:worker_threads` is not imported: it brings all of Node's streams
 * with it, which a launcher need not wait for.
 *
 * @module
 */
import process from "node:process";
import type workerThreads from "node:worker_threads";

let loaded: typeof workerThreads | undefined;
let main: boolean | undefined;

function threads(): typeof workerThreads {
  return loaded ??= process.getBuiltinModule("node:worker_threads");
}

/** For the command line, which nobody starts in a worker. */
export function beMainThread(): void {
  main = true;
}

/** Whether this is the thread that the program began with. */
export function isMainThread(): boolean {
  return main ??= threads().isMainThread;
}

/** Marks a buffer, so that no list of what is transferred can have it. */
export function markAsUntransferable(buffer: ArrayBuffer): void {
  threads().markAsUntransferable(buffer);
}

let isMarked: typeof workerThreads.isMarkedAsUntransferable | undefined;

/** Whether a buffer can be detached where marking it as untransferable prevents that, too. */
export function isUnmarked(buffer: ArrayBuffer): boolean {
  isMarked ??= threads().isMarkedAsUntransferable;
  return !isMarked(buffer);
}
