/**
 * Whether a change made something slower: `npm run bench:check`. Nothing is compared by time: ratios
 * within one run, and counts of instructions.
 *
 *     npm run bench:check -- [--only PART] [--baseline FILE] [--accept REASON | --widen REASON]
 *         [--json FILE] [--list]
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import process from "node:process";
import Table from "cli-table3";
import { Command, Option } from "commander";
import { BUILT_ALLOCATORS } from "../lib/allocators/mod.ts";
import { hostTarget } from "../lib/library/target.ts";
import { libraryFileName } from "../lib/library/directories.ts";
import type { LibraryName } from "../lib/library/manifest.ts";
import { buildMissing } from "../tools/common.ts";
import { ROOT } from "../tools/paths.ts";
import { findRuntimes, RUNTIMES } from "../tools/runtimes.ts";
import {
  accept,
  type Baseline,
  type Measured,
  readBaseline,
  widen,
  writeBaseline,
} from "./check/baseline.ts";
import { forgotten, judge, LIMIT, TIMES, type Verdict } from "./check/compare.ts";
import { count, COUNTED, type Libraries } from "./check/instructions.ts";
import { churnCase, MEMORY_CASES, memoryCase, PATTERNS, type RatioCase } from "./check/ratios.ts";
import { findValgrind } from "./check/valgrind.ts";
import { buildChurn } from "./native/build.ts";

interface Options {
  readonly only: string;
  readonly baseline: string;
  readonly libraries?: string;
  readonly accept?: string;
  readonly widen?: string;
  readonly json?: string;
  readonly list?: true;
}

const options: Options = new Command("npm run bench:check --")
  .description("Compares ratios and counts of instructions with the baseline's.")
  .option("--only <part>", "only cases whose name contains this", "")
  .option("--baseline <file>", "the stored figures", join(ROOT, "bench", "baseline.json"))
  .option("--libraries <directory>", "other libraries than this checkout's")
  .option("--accept <reason>", "write what is measured into the baseline, for this reason")
  .addOption(
    new Option(
      "--widen <reason>",
      "let ratios vary as far as what is measured now, of the same code in another state",
    ).conflicts("accept"),
  )
  .option("--json <file>", "write the results")
  .option("--list", "print the cases' names, and measure nothing")
  .parse().opts();

const { name: target, platform } = hostTarget();
const directory = options.libraries ?? join(ROOT, "build", "native", target, "release");

function libraryOf(name: LibraryName): string {
  return join(directory, libraryFileName(name, platform));
}

function manifestOf(name: LibraryName): { readonly compiler?: string; readonly version?: string } {
  return JSON.parse(readFileSync(`${libraryOf(name)}.json`, "utf8"));
}

/** What instructions depend on beside the code of the shim, by the manifests. */
function builtBy(): string {
  const versions = BUILT_ALLOCATORS.map((name) =>
    `${name} ${manifestOf(name).version ?? "unknown"}`
  );
  return [manifestOf("offheap").compiler ?? "unknown", ...versions].join(", ");
}

async function allCases(): Promise<{ cases: RatioCase[]; notes: string[] }> {
  const notes: string[] = [];
  const wanted = (id: string): boolean => id.includes(options.only);
  const { found, missing } = await findRuntimes(RUNTIMES);
  for (const { spec, reason } of missing) notes.push(`not measured: ${spec.title}: ${reason}`);
  const libraries: Libraries = {
    shim: libraryOf("offheap"),
    allocators: Object.fromEntries(BUILT_ALLOCATORS.map((name) => [name, libraryOf(name)])),
  };
  const counted = COUNTED.filter(({ id }) => wanted(id));
  const valgrind = counted.length === 0 ? { missing: "" } : findValgrind();
  if ("missing" in valgrind && counted.length > 0) {
    notes.push(`not counted: instructions: ${valgrind.missing}`);
  }
  const churn = Object.keys(PATTERNS).flatMap((pattern) =>
    BUILT_ALLOCATORS.map((name) => ({ pattern, name }))
  ).filter(({ pattern, name }) => wanted(`churn/${pattern}/${name}`));
  const program = churn.length === 0 ? "" : buildChurn();
  const cases = [
    ...churn.map(({ pattern, name }) => churnCase(program, pattern, name, libraryOf(name))),
    ...found.flatMap((runtime) => MEMORY_CASES.map((name) => memoryCase(runtime, name))),
    ...("missing" in valgrind ? [] : counted.map((one): RatioCase => ({
      id: one.id,
      measure: () => Promise.resolve(count(one, libraries, valgrind)),
    }))),
  ];
  return { cases: cases.filter(({ id }) => wanted(id)), notes };
}

const OUTCOME_TITLES: Readonly<Record<Verdict["outcome"], string>> = {
  kept: "kept",
  lost: "LOST",
  better: "better",
  new: "new",
  "not compared": "not compared",
};

function figure({ kind, value }: Measured): string {
  return kind === "ratio" ? value.toFixed(3) : value.toFixed(1);
}

function report(results: readonly { measured: Measured; verdict: Verdict }[]): void {
  const table = new Table({
    head: ["case", "baseline", "measured", "change", "outcome"],
    style: { head: [], border: [] },
  });
  for (const { measured, verdict } of results) {
    const compared = "loss" in verdict;
    table.push([
      measured.id,
      compared ? figure({ ...measured, value: verdict.base }) : "",
      figure(measured),
      compared ? `${(verdict.loss * 100).toFixed(1)} %` : "",
      OUTCOME_TITLES[verdict.outcome],
    ]);
  }
  console.log(table.toString());
  const reasons = results.flatMap(({ verdict }) =>
    "reason" in verdict ? [`${verdict.outcome}: ${verdict.reason}`] : []
  );
  for (const reason of new Set(reasons)) console.log(reason);
  for (const { measured, verdict } of results) {
    if (verdict.outcome !== "lost") continue;
    console.error(
      `LOST: ${measured.id}: ${figure({ ...measured, value: verdict.base })} in the baseline, ` +
        `${figure(measured)} now, ${(verdict.loss * 100).toFixed(1)} % more, in each of ${TIMES} ` +
        `measurements; ${
          LIMIT * 100
        } % is allowed, and the baseline's own spread. Make it faster, ` +
        'or accept it: npm run bench:check -- --accept "why it is worth it"',
    );
  }
}

async function main(): Promise<void> {
  if (options.libraries === undefined) buildMissing();
  const { cases, notes } = await allCases();
  for (const note of notes) console.log(note);
  if (cases.length === 0) throw new RangeError(`Cannot check: no case contains "${options.only}"`);
  if (options.list === true) {
    for (const { id } of cases) console.log(id);
    return;
  }
  const compiler = builtBy();
  if (options.accept !== undefined) return await acceptAll(cases, compiler, options.accept);
  if (options.widen !== undefined) return await widenAll(cases, compiler, options.widen);
  const baseline = readBaseline(options.baseline);
  const results = [];
  for (const one of cases) {
    if (process.stderr.isTTY) console.error(one.id);
    results.push(await judge(one.measure, baseline, compiler));
  }
  report(results);
  if (options.json !== undefined) writeFileSync(options.json, JSON.stringify(results, null, 2));
  if (options.only === "") {
    const ids = new Set(cases.map(({ id }) => id));
    for (const id of forgotten(baseline, ids)) console.log(`not measured: ${id}`);
  }
  if (results.some(({ verdict }) => verdict.outcome === "lost")) process.exitCode = 1;
}

/** Measures all cases once. */
async function measureAll(cases: readonly RatioCase[]): Promise<Measured[]> {
  const measured: Measured[] = [];
  for (const one of cases) {
    console.error(one.id);
    measured.push(await one.measure());
  }
  return measured;
}

function today(): string {
  return new Date().toISOString().slice(0, 10);
}

/** Writes the cases' figures into the baseline, in place of what is there. */
async function acceptAll(
  cases: readonly RatioCase[],
  compiler: string,
  reason: string,
): Promise<void> {
  const old = readOr(options.baseline);
  const measured = await measureAll(cases);
  const machine = `${cpus()[0]?.model ?? "unknown"}, ${cpus().length} cores`;
  const made = accept(old, measured, { machine, compiler }, { reason, date: today() });
  writeBaseline(options.baseline, made);
  console.log(`${measured.length} cases are in the baseline now`);
}

/** Lets the baseline's ratios vary as far as what is measured. */
async function widenAll(
  cases: readonly RatioCase[],
  compiler: string,
  reason: string,
): Promise<void> {
  const old = readBaseline(options.baseline);
  if (compiler !== old.compiler) {
    throw new Error(
      `Cannot widen: the libraries are of "${compiler}", the baseline's of "${old.compiler}". ` +
        "That is a change, which --accept takes.",
    );
  }
  const kinds = new Map(old.cases.map(({ id, kind }) => [id, kind]));
  for (const { id } of cases) if (!kinds.has(id)) console.log(`not in the baseline: ${id}`);
  const ratios = cases.filter(({ id }) => kinds.get(id) === "ratio");
  if (ratios.length === 0) {
    throw new RangeError("Cannot widen: none of the cases is a ratio that the baseline has.");
  }
  const made = widen(old, await measureAll(ratios), { reason, date: today() });
  writeBaseline(options.baseline, made);
  const wider = made.cases.filter((one) => !old.cases.includes(one));
  for (const { id, spread } of wider) {
    console.log(`${id} may be ${((spread + LIMIT) * 100).toFixed(1)} % above its value now`);
  }
  if (wider.length === 0) console.log("nothing varies more than the baseline allows");
}

/** The baseline that new figures go into; an empty one when there is no file yet. */
function readOr(path: string): Pick<Baseline, "cases"> {
  try {
    return readBaseline(path);
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return { cases: [] };
    throw error;
  }
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
