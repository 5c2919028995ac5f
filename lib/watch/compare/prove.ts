/**
 * Whether a library of the user's own serves a program: seen from outside, as there is no shim in it.
 *
 * @module
 */
import { realpathSync } from "node:fs";
import { DoctorError } from "../../errors.ts";
import { examineProcess } from "../doctor/doctor.ts";
import { RunError } from "./program.ts";

/** A proof that is looked for while a program runs. */
export interface OutsideProof {
  /** Looks at a process, until it is proven. */
  readonly look: (pid: number) => void;
  /** @throws {RunError} when it was not proven. */
  readonly require: () => void;
}

/** Looks for a library to serve `malloc`, with no evidence against it. */
export function outsideProof(library: string): OutsideProof {
  const file = realpathSync(library);
  let isProven = false;
  let why = "the program ended before it could be examined";
  return {
    look(pid) {
      if (isProven) return;
      try {
        const { object, evidence } = examineProcess(pid);
        const against = evidence.find(({ outcome }) => outcome === "fail");
        isProven = (object === file || object === library) && against === undefined;
        why = against?.detail ?? `"${object ?? "nothing that is known"}" serves it`;
      } catch (error) {
        if (!(error instanceof DoctorError)) throw error;
        why = error.message; // it is about to start, or to end
      }
    },
    require() {
      if (!isProven) throw new RunError(`Not seen to be served by "${library}": ${why}.`);
    },
  };
}
