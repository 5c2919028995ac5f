/**
 * Judges versions of the allocators: in which runtimes each is proven, what it takes in time and
 * memory against the system's allocator, as a table for each.
 *
 *     npm run bench:versions -- --debian --write
 *     npm run bench:versions -- --quick --no-pinned --source ../mimalloc --library ./libjemalloc.so.2
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { Command, Option } from "commander";
import { buildMissing, positive } from "../tools/common.ts";
import { unformatted, withPart } from "../tools/marked-text.ts";
import { ROOT } from "../tools/paths.ts";
import { findRuntimes, RUNTIMES } from "../tools/runtimes.ts";
import { buildChurn } from "./native/build.ts";
import {
  type BuildOutcome,
  fromDebian,
  fromLibrary,
  fromPins,
  fromSource,
  startable,
  type VersionBuild,
} from "./versions/builds.ts";
import { judge } from "./versions/measure.ts";
import type { Report } from "./versions/report.ts";
import { versionParts } from "./versions/tables.ts";

interface Options {
  readonly source: readonly string[];
  readonly library: readonly string[];
  readonly debian?: true;
  readonly pinned: boolean;
  readonly quick?: true;
  readonly only?: string;
  readonly rounds?: number;
  readonly times: number;
  readonly out: string;
  readonly fresh?: true;
  readonly json?: string;
  readonly write?: true;
}

/** The document that has the tables. */
export const DOCUMENT: string = join(ROOT, "docs", "development", "allocator-versions.md");
/** The report that they are made from. */
export const COMMITTED: string = join(ROOT, "docs", "development", "benchmarks", "versions.json");

const TIMES = 100;
const INTERRUPTED = 130; // as a shell says of SIGINT

/** The document's text with the tables of a report. */
export function documentWith(text: string, report: Report): string {
  return [...versionParts(report)].reduce(
    (all, [name, content]) => withPart(all, name, unformatted(content)),
    text,
  );
}

function say(line: string): void {
  console.error(line);
}

/** Every build that is asked for; one version from one place counts once. */
async function gather(options: Options): Promise<BuildOutcome[]> {
  const place = join(options.out, "builds");
  const builds: VersionBuild[] = options.library.map(fromLibrary);
  for (const directory of options.source) {
    say(`building ${directory}`);
    builds.push(await fromSource(directory, place));
  }
  const others = [
    ...(options.pinned ? await fromPins(builds, place, say) : []),
    ...(options.debian === true ? fromDebian() : []),
  ];
  const all = [...builds, ...others];
  const ids = all.map(({ id }) => id);
  const twice = ids.find((id, index) => ids.indexOf(id) !== index);
  if (twice === undefined) return all;
  throw new RangeError(`Cannot judge versions: ${twice} is given twice`);
}

function byVersion(a: VersionBuild, b: VersionBuild): number {
  return a.allocator.localeCompare(b.allocator) ||
    a.version.localeCompare(b.version, "en", { numeric: true }) ||
    a.from.localeCompare(b.from);
}

async function main(options: Options): Promise<void> {
  buildMissing();
  buildChurn();
  const outcomes = (await gather(options)).map((one) => "file" in one ? startable(one) : one);
  const missing = outcomes.filter((one) => "reason" in one);
  for (const { title, reason } of missing) say(`left out: ${title}: ${reason}`);
  const builds = outcomes.filter((one) => "file" in one).sort(byVersion);
  const { found } = await findRuntimes(RUNTIMES);
  const { quick, only, rounds, times, out, fresh = false, json, write } = options;
  const mode = quick === true ? "quick" : "full";
  const extent = { mode, only, rounds, times, directory: out, fresh } as const;
  const report = await judge(builds, missing, extent, found, say);
  if (report === null) {
    process.exitCode = INTERRUPTED;
    return;
  }
  const text = `${JSON.stringify(report, null, 1)}\n`;
  const files = [...(json === undefined ? [] : [json]), ...(write === true ? [COMMITTED] : [])];
  for (const file of files) writeFileSync(file, text);
  if (write === true) writeFileSync(DOCUMENT, documentWith(readFileSync(DOCUMENT, "utf8"), report));
  else console.log([...versionParts(report).values()].join("\n\n"));
}

function another(value: string, all: readonly string[]): string[] {
  return [...all, value];
}

if (import.meta.main) {
  const options = new Command("npm run bench:versions --")
    .description("judge versions of the allocators: proven where, time and memory")
    .option("--source <directory>", "build this source, too; may be repeated", another, [])
    .option("--library <file>", "judge this library, too; may be repeated", another, [])
    .option("--debian", "fetch Debian's builds, of this and newer releases")
    .option("--no-pinned", "without the versions whose source is pinned")
    .addOption(new Option("--quick", "one round of each, to try it").conflicts("write"))
    .option("--only <part>", "only cases whose id contains this")
    .option("--rounds <number>", "another number of rounds", positive)
    .option("--times <number>", "how often a runtime is asked for proof", positive, TIMES)
    .option("--out <directory>", "where builds and runs are kept", join(ROOT, "build", "versions"))
    .option("--fresh", "start over, where runs of an earlier start would be kept")
    .option("--json <file>", "write the report to this file")
    .option("--write", "write the report and its tables into docs/development")
    .parse()
    .opts<Options>();
  try {
    await main(options);
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}
