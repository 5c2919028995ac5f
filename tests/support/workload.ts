/**
 * Running a workload's program.
 *
 * @module
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { WorkloadOutput } from "../../bench/suite/format.ts";
import { offheapCommand, ROOT, runChild, runtimeCommand } from "./runtime.ts";

/** What only one workload knows. */
export type WorkloadOptions = Readonly<Record<string, string | number>>;

/** The command of a workload at the scale of tests, in the runtime that runs this. */
export function workloadCommand(
  name: string,
  options: WorkloadOptions = {},
): [string, ...string[]] {
  const given = JSON.stringify({ scale: "test", seed: 7, options });
  return runtimeCommand(join(ROOT, "bench", "workloads", `${name}.ts`), given);
}

/** Runs a workload at the scale of tests, under an allocator, to its end. */
export async function runWorkloadUnder(
  allocator: string,
  name: string,
  options: WorkloadOptions = {},
): Promise<WorkloadOutput> {
  const command = workloadCommand(name, options);
  const result = await runChild(offheapCommand("run", "-a", allocator, "--", ...command));
  assert.equal(result.status, 0, result.stderr);
  assert.equal(result.stderr, "");
  return WorkloadOutput.parse(JSON.parse(result.stdout.trimEnd().split("\n").at(-1) ?? ""));
}
