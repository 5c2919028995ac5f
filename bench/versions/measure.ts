/**
 * From builds to a report: proven in each runtime, then measured by the suite.
 *
 * @module
 */
import type { Runtime } from "../../tools/runtimes.ts";
import { programOf } from "../suite/cases.ts";
import { measure } from "../suite/measure.ts";
import type { MissingSubject, Mode } from "../suite/results.ts";
import { readResults } from "../suite/results-file.ts";
import { BASELINE, NOISE, SUBJECTS, type SubjectSpec } from "../suite/subjects.ts";
import type { VersionBuild } from "./builds.ts";
import { casesFor } from "./cases.ts";
import { type Report, reportOn } from "./report.ts";
import { type Proof, prove } from "./verify.ts";

/** How much is measured, and where results go. */
export interface Extent {
  readonly mode: Mode;
  readonly rounds?: number | undefined;
  /** A part of the ids of the cases that are run; all without it. */
  readonly only?: string | undefined;
  /** How often each runtime is asked. */
  readonly times: number;
  readonly directory: string;
  readonly fresh: boolean;
}

/** A build as a subject of the suite: started as a user would, in the profile that is the default. */
function subjectOf({ id, title, allocator, version, from, file }: VersionBuild): SubjectSpec {
  const options = { allocator, library: file };
  return {
    id,
    title,
    allocator,
    start: { by: "launcher", options, library: { version, build: from } },
  };
}

async function proveAll(
  builds: readonly VersionBuild[],
  runtimes: readonly Runtime[],
  times: number,
  say: (line: string) => void,
): Promise<Map<string, Proof[]>> {
  const proofs = new Map<string, Proof[]>();
  for (const build of builds) {
    const all: Proof[] = [];
    for (const runtime of runtimes) {
      const proof = await prove(build, runtime, times);
      say(`${build.title}, ${proof.runtime}: proven ${proof.proven} of ${proof.times} times`);
      all.push(proof);
    }
    proofs.set(build.id, all);
  }
  return proofs;
}

/**
 * Judges builds.
 *
 * @returns `null` when it was interrupted; the same call goes on from there.
 * @throws {Error} when a program fails, or did not run under its build.
 */
export async function judge(
  builds: readonly VersionBuild[],
  missing: readonly MissingSubject[],
  extent: Extent,
  runtimes: readonly Runtime[],
  say: (line: string) => void,
): Promise<Report | null> {
  const proofs = await proveAll(builds, runtimes, extent.times, say);
  const own = SUBJECTS.filter(({ id }) => id === BASELINE || id === NOISE);
  const subjects = [...own, ...builds.map(subjectOf)];
  const cases = casesFor(subjects.map(({ id }) => id));
  const finished = await measure(
    { cases, subjects, programOf },
    extent,
    extent,
    runtimes,
    say,
  );
  if (!finished) return null;
  const versions = Object.fromEntries(runtimes.map(({ spec, version }) => [spec.title, version]));
  return reportOn(builds, proofs, missing, versions, readResults(extent.directory));
}
