import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { COMMITTED, DOCUMENT, documentWith } from "../../bench/versions.bench.ts";
import { fromLibrary, fromSource, startable } from "../../bench/versions/builds.ts";
import { casesFor, FIGURES } from "../../bench/versions/cases.ts";
import { Report, reportOn } from "../../bench/versions/report.ts";
import { versionParts } from "../../bench/versions/tables.ts";
import { type Proof, prove } from "../../bench/versions/verify.ts";
import type { Results, Run } from "../../bench/suite/results.ts";
import { BASELINE, NOISE } from "../../bench/suite/subjects.ts";
import { ROOT } from "../../tools/paths.ts";
import { findRuntimes, RUNTIMES } from "../../tools/runtimes.ts";
import { madeResults } from "../support/bench-results.ts";
import { compileShared, temporaryDirectory } from "../support/compile.ts";
import { THOROUGH } from "../support/effort.ts";
import { builtLibrary, runChild } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const MIMALLOC = builtLibrary("mimalloc");
const COMMAND = join(ROOT, "bench", "versions.bench.ts");

function run(subject: string, round: number, wall: number): Run {
  return {
    case: "native-larson",
    subject,
    round,
    seconds: wall,
    output: {
      work: "w",
      servedBy: { allocator: "mimalloc", verified: true, object: "x" },
      metrics: { wall: { value: wall, unit: "s", better: "lower" } },
    },
  };
}

const BUILD = {
  id: "mimalloc-9.9.9",
  title: "mimalloc 9.9.9",
  allocator: "mimalloc",
  version: "9.9.9",
  from: "source mimalloc",
  file: "/nowhere/libmimalloc.so",
} as const;

/** Three rounds of one case; the system's first takes 2 s, then 1 s, then 4 s. */
const RESULTS: Results = {
  ...madeResults(),
  runs: [
    ...[2, 1, 4].map((wall, i) => run(BASELINE, i + 1, wall)),
    ...[2, 1, 4.4].map((wall, i) => run(NOISE, i + 1, wall)),
    ...[1, 0.8, 1].map((wall, i) => run(BUILD.id, i + 1, wall)),
  ],
};

const PROOFS: readonly Proof[] = [
  { runtime: "Deno", proven: 100, times: 100, problem: null },
  { runtime: "Bun", proven: 3, times: 100, problem: "process, counter: it | did not move" },
];

function made(): Report {
  const missing = [{ id: "x", title: "mimalloc 8.8.8", reason: "no network" }];
  return reportOn(
    [BUILD],
    new Map([[BUILD.id, PROOFS]]),
    missing,
    { "Node 26": "26.1.2" },
    RESULTS,
  );
}

test("a library shows which allocator it is, and its version", () => {
  const found = fromLibrary(MIMALLOC);
  const manifest: { version: string } = JSON.parse(readFileSync(`${MIMALLOC}.json`, "utf8"));
  assert.deepEqual(
    [found.allocator, found.version, found.from],
    ["mimalloc", manifest.version, "libmimalloc.so"],
  );
  assert.equal(fromLibrary(builtLibrary("jemalloc")).allocator, "jemalloc");
  assert.throws(() => fromLibrary(builtLibrary("offheap")), /must export mallctl or mi_version/);
  assert.throws(() => fromLibrary("/nowhere/x.so"), /does not exist/);
});

test("a directory that is no allocator's source is refused with what either would have", async () => {
  await assert.rejects(
    fromSource(join(ROOT, "docs"), temporaryDirectory()),
    /not jemalloc's source[^]*not mimalloc's source/,
  );
});

test("a build under which no program starts is left out with what the program said", () => {
  const found = fromLibrary(MIMALLOC);
  assert.equal(startable(found), found);
  const file = compileShared("decoy-malloc.c", "versions-decoy.so");
  const outcome = startable({ ...found, file });
  assert.ok("reason" in outcome);
  assert.match(outcome.reason, /^no program starts under it: .*\S/);
});

test("a figure is the median of ratios of the same round, with the least and the greatest", () => {
  const [judged] = made().builds;
  assert.deepEqual(judged?.figures, [
    { id: "larson", value: 1, unit: "s", median: 0.5, least: 0.25, greatest: 0.8 },
  ]);
  assert.deepEqual(made().noise.map(({ median, greatest }) => [median, greatest]), [[1, 1.1]]);
});

test("the tables say what was proven where, each figure, and what was left out", () => {
  const parts = versionParts(made());
  const overview = parts.get("versions-overview") ?? "";
  assert.match(overview, /Left out: mimalloc 8\.8\.8 \(no network\)/);
  assert.match(overview, /\| mimalloc 9\.9\.9 \| source mimalloc \| Deno, Bun: 3 of 100 \|/);
  assert.match(overview, /\| glibc again /);
  const details = parts.get("versions-details") ?? "";
  assert.match(details, /### mimalloc 9\.9\.9/);
  assert.match(details, /Bun: proven 3 of 100 times \(process, counter: it \\\| did not move\)/);
  assert.match(details, /\| larson, time +\| +1\.00?.s +\| +0\.50 \| +0\.25 \| +0\.80 \|/);
});

test("every case has every build, and every figure is one of a case's", () => {
  const subjects = [BASELINE, NOISE, BUILD.id];
  const cases = casesFor(subjects);
  for (const { plans } of cases) {
    assert.deepEqual([plans.quick?.subjects, plans.full?.subjects], [subjects, subjects]);
    assert.equal(plans.quick?.rounds, 1);
  }
  const ids = cases.map(({ id }) => id);
  assert.deepEqual(FIGURES.filter((figure) => !ids.includes(figure.case)), []);
  assert.equal(new Set(FIGURES.map(({ id }) => id)).size, FIGURES.length);
});

test("the document has the tables of the committed report", () => {
  assert.ok(existsSync(COMMITTED), `${COMMITTED} is not there`);
  const report = Report.parse(JSON.parse(readFileSync(COMMITTED, "utf8")));
  const text = readFileSync(DOCUMENT, "utf8");
  assert.equal(documentWith(text, report), text);
  assert.ok(!JSON.stringify(report).includes(ROOT), "no path of a machine");
});

test("each runtime is started under a build and counts how often it is proven", async () => {
  const { found } = await findRuntimes(RUNTIMES);
  const build = fromLibrary(MIMALLOC);
  for (const runtime of found) {
    const proof = await prove(build, runtime, 3);
    assert.deepEqual(proof, { runtime: runtime.spec.title, proven: 3, times: 3, problem: null });
  }
  const [runtime] = found;
  assert.ok(runtime !== undefined);
  const wrong = await prove({ ...build, allocator: "jemalloc" }, runtime, 3);
  assert.equal(wrong.proven, 0);
  assert.match(wrong.problem ?? "", /\S/);
});

const THOROUGHLY = skipUnless(
  THOROUGH,
  "each of its parts is tried on a push, all of it each night",
);

test(
  "the command judges a library by one case, and says where it is proven",
  THOROUGHLY,
  async () => {
    const out = temporaryDirectory();
    const json = join(out, "report.json");
    const words = [
      ...["--quick", "--no-pinned", "--library", MIMALLOC, "--times", "1"],
      ...["--only", "glibc-bench", "--out", out, "--json", json],
    ];
    const { status, stdout, stderr } = await runChild([process.execPath, COMMAND, ...words]);
    assert.equal(status, 0, stderr);
    assert.match(
      stdout,
      /\| mimalloc \d+\.\d+\.\d+ \| libmimalloc\.so \| Deno, Bun, Node 26, Node 22 \|/,
    );
    const report = Report.parse(JSON.parse(readFileSync(json, "utf8")));
    assert.deepEqual(report.builds[0]?.figures.map(({ id }) => id), [
      "glibc-bench",
      "glibc-bench-cpu",
    ]);
  },
);

test("a build that is given twice is refused before anything is measured", async () => {
  const twice = ["--no-pinned", "--library", MIMALLOC, "--library", MIMALLOC];
  const { status, stderr } = await runChild([process.execPath, COMMAND, ...twice]);
  assert.equal(status, 1);
  assert.match(stderr, /mimalloc-.* is given twice/);
});
