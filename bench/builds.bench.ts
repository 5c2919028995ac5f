/**
 * How fast our builds are beside those of a distribution: the time of patterns under each build of an
 * allocator, over the time under Debian's build of the same version.
 *
 *     npm run bench:builds
 *     npm run bench:builds -- --only larson small --rounds 12
 *     npm run bench:builds -- --library FILE --against FILE
 *     npm run bench:builds -- --write
 *
 * Time is the processor's, of the whole program, in rounds that are paired and in turns.
 *
 * @module
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import { Command } from "commander";
import { BUILT_ALLOCATORS } from "../lib/allocators/mod.ts";
import { manifestOf } from "../lib/library/resolve.ts";
import { pairedRatios } from "../lib/watch/compare/pairs.ts";
import { type Estimate, estimate } from "../lib/watch/compare/statistics.ts";
import { buildMissing, positive } from "../tools/common.ts";
import { layoutTable } from "../tools/markdown-table.ts";
import { withPart } from "../tools/marked-text.ts";
import { isZig } from "../packages/build/toolchain/zig.ts";
import { builtLibrary, ROOT } from "../tools/paths.ts";
import { debianBuild, type NamedBuild, RATIO_LIMIT } from "./builds/debian-builds.ts";
import { BUILD_PATTERNS, measurePattern } from "./builds/measure.ts";
import { buildChurn } from "./native/build.ts";
import { describeMachine } from "./suite/machine.ts";

interface Options {
  readonly rounds: number;
  readonly threads: number;
  readonly only?: readonly string[];
  readonly library?: readonly string[];
  readonly against?: string;
  readonly write?: true;
}

/** Where `--write` puts the table. */
const DOCUMENT = join(ROOT, "docs", "development", "builds.md");

const options: Options = new Command("npm run bench:builds --")
  .description("Measures our builds beside Debian's of the same versions.")
  .option("--rounds <count>", "runs of each pattern under each build", positive, 12)
  .option("--threads <count>", "threads of a pattern", positive, 2)
  .option("--only <patterns...>", `of ${Object.keys(BUILD_PATTERNS).join(", ")}`)
  .option("--library <files...>", "these, instead of this checkout's builds")
  .option("--against <file>", "instead of Debian's build of the same version")
  .option("--write", "put the table into docs/development/builds.md")
  .parse().opts();

/** This checkout's builds of an allocator: what is preloaded first. */
function ownBuilds(): NamedBuild[] {
  buildMissing();
  return BUILT_ALLOCATORS.flatMap((allocator) =>
    (["preload", "release"] as const).map((variant) => readBuild(builtLibrary(allocator, variant)))
  );
}

/** @throws {Error} when the file, or its manifest, is not there. */
function readBuild(file: string): NamedBuild {
  const path = resolve(file);
  const manifest = existsSync(path) ? manifestOf(path) : null;
  if (manifest === null || manifest.allocator === "offheap") {
    throw new Error(`Cannot measure "${path}": it must be an allocator's library with a manifest`);
  }
  const { allocator, version, variant, compiler } = manifest;
  const title = `ours, ${variant}, ${isZig(compiler) ? "zig" : "host's compiler"}`;
  return { allocator, version, title, path, compiler };
}

function cellOf({ median, low, high }: Estimate): string {
  const interval = low === null || high === null ? "" : ` (${low.toFixed(2)}–${high.toFixed(2)})`;
  return `${median.toFixed(2)}${interval}`;
}

async function main(): Promise<number> {
  const names = options.only ?? Object.keys(BUILD_PATTERNS);
  const unknown = names.find((name) => !Object.hasOwn(BUILD_PATTERNS, name));
  if (unknown !== undefined) throw new Error(`Cannot measure "${unknown}": it is no pattern`);
  const builds = options.library?.map(readBuild) ?? ownBuilds();
  const program = buildChurn();
  const rows: string[][] = [];
  const over: string[] = [];
  const groups = Map.groupBy(builds, ({ allocator, version }) => `${allocator} ${version}`);
  for (const [group, members] of groups) {
    const first = members[0];
    if (first === undefined) continue;
    const baseline = options.against === undefined
      ? debianBuild(first.allocator, first.version)
      : { path: resolve(options.against), title: options.against };
    if ("missing" in baseline) {
      console.log(`${group}: nothing to compare with: ${baseline.missing}`);
      continue;
    }
    const cells = new Map(members.map((build) => [build, [group, build.title]]));
    for (const name of names) {
      const subjects = [baseline, ...members].map(({ path }) => path);
      const { rounds, threads } = options;
      const values = await measurePattern(program, name, subjects, { rounds, threads });
      for (const [index, build] of members.entries()) {
        const ratios = pairedRatios(values[index + 1] ?? new Map(), values[0] ?? new Map());
        if (ratios.length === 0) {
          throw new Error(`Cannot compare ${name}: a run took no time at all`);
        }
        const found = estimate(ratios);
        cells.get(build)?.push(cellOf(found));
        console.log(`${group}, ${build.title}, ${name}: ${cellOf(found)}`);
        const counts = build.title.startsWith("ours, preload") || options.library !== undefined;
        if (counts && found.median > RATIO_LIMIT) over.push(`${group}, ${build.title}, ${name}`);
      }
    }
    rows.push(...cells.values());
  }
  if (rows.length === 0) throw new Error("Cannot write a table: nothing could be compared");
  const table = layoutTable(["allocator", "build", ...names], rows, 2);
  console.log(`\n${table}\n`);
  if (options.write === true) writeDocument(table, builds);
  for (const what of over) console.log(`above ${RATIO_LIMIT}: ${what}`);
  return over.length === 0 ? 0 : 1;
}

function writeDocument(table: string, builds: readonly NamedBuild[]): void {
  const { processor, cores, system, kernel, libc } = describeMachine();
  const compilers = [...new Set(builds.map(({ compiler }) => compiler))].join("; ");
  const { rounds, threads } = options;
  const head =
    `${rounds} rounds, ${threads} threads; ${processor}, ${cores} cores, ${system} (${libc}), ` +
    `kernel ${kernel}; ours by ${compilers}.`;
  const text = readFileSync(DOCUMENT, "utf8");
  writeFileSync(DOCUMENT, withPart(text, "builds", `${head}\n\n${table}`));
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? `error: ${error.message}` : error);
  process.exitCode = 1;
}
