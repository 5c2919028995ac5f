/**
 * From a finished journal to results.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { VERSION } from "../../lib/version.ts";
import { ROOT } from "../../tools/paths.ts";
import type { Runtime } from "../../tools/runtimes.ts";
import type { MachineInfo, Run, StoredResults } from "./results.ts";
import type { Setup } from "./setup.ts";

/** The checkout's commit, with a mark where files differ from it; `null` without git. */
function commit(): string | null {
  const words = ["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"];
  const { status, stdout } = spawnSync("git", words, { cwd: ROOT, encoding: "utf8" });
  return status === 0 ? stdout.trim() : null;
}

/** A run whose object is named by its place in the checkout: results are read on other machines. */
export function withoutPlaces(run: Run): Run {
  const { servedBy } = run.output;
  const object = servedBy.object.replaceAll(ROOT, "").replace(/0x[0-9a-f]+/g, "0x…");
  return { ...run, output: { ...run.output, servedBy: { ...servedBy, object } } };
}

/** Puts results together from all runs of a plan. */
export function collect(
  setup: Setup,
  runs: readonly Run[],
  started: string,
  machine: MachineInfo,
  runtimes: readonly Runtime[],
): StoredResults {
  const cases = setup.cases.map(({ info }) => info);
  const used = new Set<string>(cases.map(({ runtime }) => runtime));
  const counted = runs.filter(({ round }) => round > 0);
  return {
    $schema: "./results.schema.json",
    format: 1,
    mode: setup.mode,
    seed: setup.seed,
    started,
    finished: new Date().toISOString(),
    seconds: Math.round(runs.reduce((sum, { seconds }) => sum + seconds, 0)),
    versions: {
      offheap: VERSION,
      commit: commit(),
      runtimes: Object.fromEntries(
        runtimes.filter(({ spec }) => used.has(spec.name))
          .map(({ spec, version }) => [spec.name, version]),
      ),
    },
    machine,
    subjects: setup.subjects.map(({ info }) => info),
    missing: [...setup.missing],
    cases,
    runs: counted.map(withoutPlaces),
  };
}
