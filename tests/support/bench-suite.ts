/**
 * Stand-ins for the benchmark suite's cases.
 *
 * @module
 */
import { join } from "node:path";
import type { CasePlan, CaseSpec } from "../../bench/suite/cases.ts";
import type { PlannedCase } from "../../bench/suite/plan.ts";
import type { Tables } from "../../bench/suite/setup.ts";
import { FIXTURES, runtimeCommand } from "./runtime.ts";

/** The stand-in's program. */
const WORKLOAD: string = join(FIXTURES, "bench-workload.ts");

/** A case that is ready to run the stand-in. */
export function standIn(
  id: string,
  subjects: readonly string[],
  options: Readonly<Record<string, string>> = {},
  rounds = 2,
): PlannedCase {
  const words = [JSON.stringify({ options })];
  return {
    info: {
      id,
      title: id,
      workload: "stand-in",
      runtime: "node26",
      counts: "blocks",
      arguments: words,
      rounds,
      subjects: [...subjects],
    },
    command: runtimeCommand(WORKLOAD, ...words),
    warmUp: true,
    seconds: 1,
  };
}

/** Two cases of two rounds, of the stand-in, run by this runtime. */
export function standInTables(options: Readonly<Record<string, string>>): Omit<Tables, "subjects"> {
  const plan: CasePlan = {
    arguments: [JSON.stringify({ options })],
    subjects: ["system", "jemalloc-balanced"],
    rounds: 2,
    warmUp: false,
    seconds: 1,
  };
  const cases = ["one", "two"].map((id): CaseSpec => ({
    id,
    title: id,
    workload: "stand-in",
    runtime: "node26",
    counts: "blocks",
    plans: { quick: plan, full: plan },
  }));
  return { cases, programOf: () => ({ file: WORKLOAD, command: runtimeCommand(WORKLOAD) }) };
}
