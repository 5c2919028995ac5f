/**
 * Whether a library of the user's own serves a program: seen from outside, as there is no shim in it.
 *
 * @module
 */
import { realpathSync } from "node:fs";
import { DoctorError } from "../../errors.ts";
import { examineProcess, type ProcessReport } from "../doctor/doctor.ts";
import { RunError } from "./program.ts";

/** A proof that is looked for while a program runs. */
export interface OutsideProof {
  /** Looks at a process; the last look that could examine it counts. */
  readonly look: (pid: number) => void;
  /** @throws {RunError} when it was not proven. */
  readonly require: () => void;
}

/** What of an examination is looked at. */
type Examine = (pid: number) => Pick<ProcessReport, "object" | "verified" | "evidence">;

/**
 * Looks for a library to serve `malloc`. No evidence against it is not enough: while the dynamic
 * linker is at work, calls lead nowhere yet; and a program may become another one.
 */
export function outsideProof(library: string, examine: Examine = examineProcess): OutsideProof {
  const file = realpathSync(library);
  let isProven = false;
  let why = "the program ended before it could be examined";
  return {
    look(pid) {
      try {
        const { object, verified, evidence } = examine(pid);
        const first = (wanted: string) =>
          evidence.find(({ outcome }) => outcome === wanted)?.detail;
        const isIt = object === file || object === library;
        isProven = isIt && verified;
        why = first("fail") ?? (isIt ? first("unavailable") : undefined) ??
          `"${object ?? "nothing that is known"}" serves it`;
      } catch (error) {
        if (!(error instanceof DoctorError)) throw error;
        why = error.message.replace(/\.$/, ""); // it is about to start, or to end
      }
    },
    require() {
      if (!isProven) throw new RunError(`Not seen to be served by "${library}": ${why}.`);
    },
  };
}
