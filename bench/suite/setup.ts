/**
 * From options to a plan: which cases and subjects take part, and whether they can.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { VERSION } from "../../lib/version.ts";
import type { Runtime } from "../../tools/runtimes.ts";
import type { CasePlan, CaseSpec, Program } from "./cases.ts";
import { type PlanKey, type PlannedCase, planSteps, type Step } from "./plan.ts";
import type { MissingSubject, Mode } from "./results.ts";
import type { PreparedSubjects, Subject } from "./prepare.ts";
import { BASELINE, type SubjectSpec } from "./subjects.ts";

/** What a user chooses. */
export interface Choice {
  readonly mode: Mode;
  /** A part of the ids of the cases that are run; all without it. */
  readonly only?: string | undefined;
  /** Ids of subjects; the baseline always takes part. */
  readonly subjects?: readonly string[] | undefined;
  /** Other than the mode's own number of rounds. */
  readonly rounds?: number | undefined;
}

/** What there is to choose from, and how a case's program is found. */
export interface Tables {
  readonly cases: readonly CaseSpec[];
  readonly subjects: readonly SubjectSpec[];
  readonly programOf: (spec: CaseSpec, runtimes: readonly Runtime[]) => Program;
}

/** Cases with the subjects that the user wants of them. */
export interface Selection {
  readonly cases: readonly CaseSpec[];
  readonly subjects: readonly SubjectSpec[];
}

/**
 * Applies a choice to the tables.
 *
 * @throws {RangeError} when nothing fits it; the message lists what there is.
 */
export function select(choice: Choice, { cases, subjects }: Tables): Selection {
  const { only, subjects: wanted } = choice;
  const offered = cases.filter(({ plans }) => plans[choice.mode] !== null);
  const chosen = offered.filter(({ id }) => only === undefined || id.includes(only));
  if (chosen.length === 0) {
    const list = offered.map(({ id }) => id).join(", ");
    throw new RangeError(`Cannot choose cases: one of ${list} must contain "${only}"`);
  }
  const known = subjects.map(({ id }) => id);
  for (const id of wanted ?? []) {
    if (known.includes(id)) continue;
    throw new RangeError(
      `Cannot choose subjects: each must be one of ${known.join(", ")}; got "${id}"`,
    );
  }
  const used = new Set(chosen.flatMap((one) => one.plans[choice.mode]?.subjects ?? []));
  const takesPart = (id: string): boolean =>
    id === BASELINE || (used.has(id) && (wanted === undefined || wanted.includes(id)));
  return { cases: chosen, subjects: subjects.filter(({ id }) => takesPart(id)) };
}

/** A plan that is ready to run. */
export interface Setup {
  readonly mode: Mode;
  readonly seed: number;
  readonly key: PlanKey;
  readonly cases: readonly PlannedCase[];
  readonly steps: readonly Step[];
  readonly subjects: readonly Subject[];
  readonly missing: readonly MissingSubject[];
}

/** Of the order of subjects in a round. */
const ORDER_SEED = 20;

/**
 * Why cases cannot be run here: a program or runtime is missing. Empty when all can.
 */
export function lacking(
  cases: readonly CaseSpec[],
  { programOf }: Tables,
  runtimes: readonly Runtime[],
): string[] {
  return cases.flatMap((spec) => {
    try {
      const { file } = programOf(spec, runtimes);
      return existsSync(file) ? [] : [`${spec.id}: ${file} does not exist`];
    } catch (error) {
      return [`${spec.id}: ${error instanceof Error ? error.message : error}`];
    }
  });
}

function plannedCase(
  spec: CaseSpec,
  plan: CasePlan,
  choice: Choice,
  subjects: readonly Subject[],
  { command }: Program,
): PlannedCase {
  const { id, title, workload, runtime, counts } = spec;
  const present = subjects.map(({ info }) => info.id).filter((one) => plan.subjects.includes(one));
  return {
    info: {
      id,
      title,
      workload,
      runtime,
      counts,
      arguments: [...plan.arguments],
      rounds: choice.rounds ?? plan.rounds,
      subjects: present,
    },
    command: [...command, ...plan.arguments],
    warmUp: plan.warmUp,
    seconds: plan.seconds,
  };
}

function fingerprint({ info, files }: Subject): string {
  const hash = createHash("sha256").update(JSON.stringify([info.variables, info.version]));
  for (const file of files) hash.update(readFileSync(file));
  return hash.digest("hex").slice(0, 16);
}

/** Puts a plan together. */
export function setUp(
  choice: Choice,
  { cases }: Selection,
  { subjects, missing }: PreparedSubjects,
  { programOf }: Tables,
  runtimes: readonly Runtime[],
): Setup {
  const planned = cases.flatMap((spec) => {
    const plan = spec.plans[choice.mode];
    if (plan === null) return [];
    return [plannedCase(spec, plan, choice, subjects, programOf(spec, runtimes))];
  });
  const describe = ({ info }: PlannedCase): string =>
    JSON.stringify([info.rounds, info.subjects, info.arguments]);
  return {
    mode: choice.mode,
    seed: ORDER_SEED,
    key: {
      mode: choice.mode,
      offheap: VERSION,
      seed: ORDER_SEED,
      cases: Object.fromEntries(planned.map((one) => [one.info.id, describe(one)])),
      subjects: Object.fromEntries(subjects.map((one) => [one.info.id, fingerprint(one)])),
    },
    cases: planned,
    steps: planSteps(planned, ORDER_SEED),
    subjects,
    missing,
  };
}
