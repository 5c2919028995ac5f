/**
 * This process's physical memory in use.
 *
 * @module
 */
import process from "node:process";
import { SystemInfoError } from "../errors.ts";

/**
 * In bytes, as the runtime reports it; no permission is needed for it.
 *
 * @throws {SystemInfoError} when the runtime cannot say it: Linux without a `/proc`.
 */
export function readResident(): number {
  try {
    return process.memoryUsage.rss();
  } catch (error) {
    throw new SystemInfoError(
      "Cannot read this process's memory: there is no /proc here. Mount it (mount -t proc proc /proc).",
      { cause: error },
    );
  }
}
