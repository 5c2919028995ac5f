/**
 * One build at a time in an output directory.
 *
 * @module
 */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import lockfile from "proper-lockfile";
import { BuildError } from "../../../lib/errors.ts";
import { makeDirectory } from "./output.ts";

/** The lock's name in the output directory. */
export const LOCK_NAME = ".build-lock";

/**
 * A lock that its owner has not touched for this long belongs to a build that died. The owner
 * touches it every second, from a loop that only waits for tools.
 */
const STALE_MILLISECONDS = 5000;
const TOUCH_MILLISECONDS = 1000;
const RETRY_MILLISECONDS = 100;
const PATIENCE_MILLISECONDS = 30 * 60 * 1000;

/** A lock that is held. */
export interface BuildLock {
  /** Aborts when the lock is lost, as after the machine slept; the build has to end then. */
  readonly lost: AbortSignal;
  /** Gives the lock back. */
  release(): Promise<void>;
}

/**
 * Waits for the lock of an output directory, which is made when it is missing.
 *
 * @param waiting Called once, when another build holds the lock.
 * @throws {BuildError} after half an hour.
 */
export async function lockDirectory(
  directory: string,
  waiting: () => void,
  signal?: AbortSignal,
): Promise<BuildLock> {
  makeDirectory(directory);
  const lost = new AbortController();
  const start = Date.now();
  for (let attempt = 0; Date.now() - start < PATIENCE_MILLISECONDS; attempt++) {
    signal?.throwIfAborted();
    try {
      const release = await lockfile.lock(directory, {
        lockfilePath: join(directory, LOCK_NAME),
        realpath: false,
        stale: STALE_MILLISECONDS,
        update: TOUCH_MILLISECONDS,
        onCompromised: (error) =>
          lost.abort(
            new BuildError(`Cannot go on: the lock of "${directory}" was lost (${error.message}).`),
          ),
      });
      return {
        lost: lost.signal,
        release: async () => {
          if (!lost.signal.aborted) await release();
        },
      };
    } catch (error) {
      if (!(error instanceof Error) || Reflect.get(error, "code") !== "ELOCKED") throw error;
    }
    if (attempt === 0) waiting();
    await delay(RETRY_MILLISECONDS, undefined, signal === undefined ? {} : { signal });
  }
  throw new BuildError(
    `Cannot build: another build has held the lock "${join(directory, LOCK_NAME)}" for half an ` +
      "hour. If none is running, remove it.",
  );
}
