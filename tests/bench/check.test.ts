import assert from "node:assert/strict";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  accept,
  type Baseline,
  type Measured,
  readBaseline,
  widen,
} from "../../bench/check/baseline.ts";
import { compare, forgotten, judge, TIMES } from "../../bench/check/compare.ts";
import { COUNTED } from "../../bench/check/instructions.ts";
import { findValgrind } from "../../bench/check/valgrind.ts";
import { SHIM_FILES } from "../../packages/build/recipe/shim.ts";
import { compileShared, temporaryDirectory } from "../support/compile.ts";
import { THOROUGH } from "../support/effort.ts";
import { builtLibrary, ROOT, runChild, runtimeCommand } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const ABOUT = { machine: "a machine", compiler: "gcc 12" };
const FIRST = { reason: "the first", date: "2026-01-02" };

function ratio(value: number, id = "churn/small/jemalloc"): Measured {
  return { id, kind: "ratio", value, spread: 0 };
}

function baseline(...cases: Measured[]): Baseline {
  return accept({ cases: [] }, cases, ABOUT, FIRST);
}

test("a loss of 9 % is kept, one of 11 % is lost, and a gain of 11 % is reported", () => {
  const base = baseline(ratio(0.5));
  const outcomes = [0.545, 0.555, 0.44].map((value) => compare(ratio(value), base, "").outcome);
  assert.deepEqual(outcomes, ["kept", "lost", "better"]);
});

test("what the baseline itself varied by is allowed besides", () => {
  const base = baseline({ ...ratio(1), spread: 0.05 });
  assert.equal(compare(ratio(1.14), base, "").outcome, "kept");
  assert.equal(compare(ratio(1.16), base, "").outcome, "lost");
});

test("a loss counts only when it repeats each time", async () => {
  const base = baseline(ratio(1));
  const run = async (values: number[]) => {
    let measured = 0;
    const { verdict } = await judge(
      () => Promise.resolve(ratio(values[measured++] ?? NaN)),
      base,
      "",
    );
    return { outcome: verdict.outcome, measured };
  };
  assert.deepEqual(await run([1.2, 1.3, 1.2]), { outcome: "lost", measured: TIMES });
  assert.deepEqual(await run([1.2, 1.05]), { outcome: "kept", measured: 2 });
  assert.deepEqual(await run([1.2, 1.2, 1]), { outcome: "kept", measured: 3 });
  assert.deepEqual(await run([1]), { outcome: "kept", measured: 1 });
});

test("a case that the baseline lacks, and one that is not measured any more, are reported", () => {
  const base = baseline(ratio(1, "a"), ratio(1, "b"));
  const verdict = compare(ratio(1, "c"), base, "");
  assert.match("reason" in verdict ? verdict.reason : "", /does not have it; --accept/);
  assert.deepEqual(forgotten(base, new Set(["b", "c"])), ["a"]);
});

test("instructions are compared only when the same compiler built the shim", () => {
  const counted: Measured = { id: "i", kind: "instructions", value: 100, spread: 0 };
  const base = baseline(counted);
  assert.equal(compare({ ...counted, value: 120 }, base, ABOUT.compiler).outcome, "lost");
  const verdict = compare({ ...counted, value: 120 }, base, "gcc 13");
  assert.equal(verdict.outcome, "not compared");
  assert.match("reason" in verdict ? verdict.reason : "", /"gcc 13", the baseline's of "gcc 12"/);
});

test("accepting keeps the other cases, and the reasons of all values", () => {
  const old = baseline(ratio(1, "a"), ratio(2, "b"));
  const next = accept(old, [ratio(3, "a")], ABOUT, { reason: "a guard", date: "2026-02-03" });
  assert.deepEqual(next.cases.map(({ id, value }) => [id, value]), [["a", 3], ["b", 2]]);
  assert.deepEqual(next.cases[0]?.history, [
    { date: "2026-01-02", value: 1, reason: "the first" },
    { date: "2026-02-03", value: 3, reason: "a guard" },
  ]);
});

test("widening lets a ratio vary as far as another measurement, and leaves counts alone", () => {
  const counted: Measured = { id: "i", kind: "instructions", value: 100, spread: 0 };
  const old = baseline({ ...ratio(1, "a"), spread: 0.05 }, ratio(1, "b"), counted);
  const why = { reason: "a busier day", date: "2026-02-03" };
  const other = [ratio(1.2, "a"), ratio(0.5, "b"), ratio(3, "new"), { ...counted, value: 150 }];
  const wide = widen(old, other, why);
  assert.deepEqual(wide.cases.map(({ id }) => id), ["a", "b", "i"]);
  const [a, b, i] = wide.cases;
  assert.deepEqual([a?.value, a?.spread.toFixed(3)], [1, "0.200"]);
  assert.deepEqual(a?.history.at(-1), { ...why, value: 1.2 });
  assert.deepEqual([b, i], old.cases.slice(1));
  assert.equal(compare(ratio(1.29, "a"), wide, "").outcome, "kept");
  assert.equal(compare(ratio(1.31, "a"), wide, "").outcome, "lost");
  assert.deepEqual(widen(wide, [ratio(1.1, "a")], why), wide);
});

test("a baseline that is missing or damaged is reported with what to do", () => {
  const directory = temporaryDirectory();
  assert.throws(() => readBaseline(join(directory, "none.json")), /Make one with --accept/);
  for (const text of ["{", '{ "format": 1 }', '{ "format": 2, "cases": [] }']) {
    const path = join(directory, "baseline.json");
    writeFileSync(path, text);
    assert.throws(() => readBaseline(path), /is no baseline\. Take it from version control/);
  }
});

test("the committed baseline has every count, and ratios of each kind", () => {
  const { cases } = readBaseline(join(ROOT, "bench", "baseline.json"));
  const ids = cases.map(({ id }) => id);
  for (const { id } of COUNTED) assert.ok(ids.includes(id), id);
  for (const part of ["churn/larson/", "memory/block/65536/", "memory/pool/65536/"]) {
    assert.ok(ids.some((id) => id.startsWith(part)), part);
  }
  assert.doesNotMatch(readFileSync(join(ROOT, "bench", "baseline.json"), "utf8"), /"\/|NaN|null/);
});

/** Runs the command on some libraries, for one count of instructions. */
function check(directory: string, file: string, ...words: string[]) {
  const only = ["--only", "instructions/pair/none"];
  const where = ["--libraries", directory, "--baseline", file];
  const script = join(ROOT, "bench", "check.bench.ts");
  return runChild(runtimeCommand(script, ...only, ...where, ...words));
}

const valgrind = findValgrind();

test(
  "a deliberate slowdown of the shim is caught, and the shim as it is passes",
  "missing" in valgrind
    ? skipUnless(false, `needs valgrind: ${valgrind.missing}`)
    : skipUnless(THOROUGH, "it counts for long; each night tries it"),
  async () => {
    const [good, slow] = [temporaryDirectory(), temporaryDirectory()];
    const others = SHIM_FILES.filter((name) => name !== "memory.c");
    const sources = others.map((name) => join(ROOT, "ffi", "native", name));
    const flags = ["-fPIC", "-O2", "-pthread", "-ldl", "-I", join(ROOT, "ffi", "native")];
    const slowed = compileShared("slow-shim.c", "slow-shim.so", [...sources, ...flags]);
    for (const directory of [good, slow]) {
      for (const name of ["jemalloc", "mimalloc", "offheap"]) {
        for (const suffix of ["", ".json"]) {
          copyFileSync(`${builtLibrary(name)}${suffix}`, join(directory, `lib${name}.so${suffix}`));
        }
      }
    }
    copyFileSync(slowed, join(slow, "liboffheap.so"));
    const file = join(good, "baseline.json");

    const accepted = await check(good, file, "--accept", "the first");
    assert.equal(accepted.status, 0, accepted.stderr);
    const kept = await check(good, file);
    assert.equal(kept.status, 0, kept.stderr);
    assert.match(kept.stdout, /instructions\/pair\/none .* kept/);

    const widened = await check(good, file, "--widen", "again");
    assert.equal(widened.status, 1, widened.stdout);
    assert.match(widened.stderr, /^Cannot widen: none of the cases is a ratio/m);
    const both = await check(good, file, "--widen", "again", "--accept", "both");
    assert.equal(both.status, 1);
    assert.match(both.stderr, /cannot be used with/);

    const lost = await check(slow, file);
    assert.equal(lost.status, 1, lost.stdout);
    assert.match(
      lost.stderr,
      /^LOST: instructions\/pair\/none: [\d.]+ in the baseline, [\d.]+ now, [\d.]+ % more, in each of 3 /m,
    );
    assert.match(lost.stderr, /--accept "why it is worth it"/);
  },
);

test("an unknown case is refused", async () => {
  const script = join(ROOT, "bench", "check.bench.ts");
  const words = ["--only", "nothing", "--libraries", temporaryDirectory()];
  const { status, stderr } = await runChild(runtimeCommand(script, ...words));
  assert.equal(status, 1);
  assert.match(stderr, /Cannot check: no case contains "nothing"/);
});
