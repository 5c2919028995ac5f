/**
 * Finds out from outside who serves `malloc` in a running process. Nothing in the process is changed
 * or stopped; its files in `/proc` and its memory are read.
 *
 * @module
 */
import process from "node:process";
import { DoctorError } from "../../errors.ts";
import { examine } from "./examine.ts";
import { attempt, openProcess } from "./process-source.ts";
import type { ProcessReport } from "./types.ts";

export type { DoctorCheck, DoctorEvidence, ExaminedAllocator, ProcessReport } from "./types.ts";

/**
 * Examines a running process: who serves `malloc` in it, with the evidence. Linux only.
 *
 * What is said rests on what is mapped into the process now. `verified` means that calls of
 * `malloc` were seen, in the process's memory, to lead into the allocator, and none elsewhere. A
 * library that was made to deceive, and looks up where to pass calls on at each call, is not
 * found out from outside: `verifyAllocator()` inside the process does that.
 *
 * @param pid The process ID.
 * @throws {TypeError | RangeError} when `pid` is not a positive integer.
 * @throws {DoctorError} when there is no such process, this user may not examine it, or the system
 * is not Linux.
 * @throws {PermissionError} when the runtime does not permit to read `/proc`.
 *
 * @example
 * ```ts
 * import { examineProcess } from "./doctor.ts";
 * import process from "node:process";
 *
 * const { allocator, verified } = examineProcess(process.pid);
 * console.log(allocator, verified);
 * ```
 */
export function examineProcess(pid: number): ProcessReport {
  if (typeof pid !== "number") {
    throw new TypeError(`Cannot examine a process: pid must be a number; got ${show(pid)}`);
  }
  if (!Number.isSafeInteger(pid) || pid <= 0) {
    throw new RangeError(`Cannot examine a process: pid must be a positive integer; got ${pid}`);
  }
  if (process.platform !== "linux") {
    throw new DoctorError(
      `Cannot examine process ${pid}: that needs /proc as Linux has it, and this system is ` +
        `${process.platform}. Run \`offheap verify\` inside the program instead.`,
    );
  }
  const source = openProcess(pid);
  // It may end at any moment, between opening one of its files and reading the next.
  return attempt(pid, source.directory, () => examine(source));
}

function show(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}
