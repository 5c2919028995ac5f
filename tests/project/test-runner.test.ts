import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { LibcName } from "../../lib/library/target.ts";
import { parseRuntimeNames, ROOT, type RuntimeName, RUNTIMES } from "../../tools/runtimes.ts";
import { type Place, reasonToLeaveOut, RULES } from "../../scripts/testing/left-out.ts";
import {
  differencesOf,
  explainFailures,
  explainLeftOut,
  explainSkips,
  lacksTests,
  slowestFiles,
} from "../../scripts/testing/report.ts";
import { testFiles, testName } from "../../scripts/testing/files.ts";
import type { FileResult } from "../../scripts/testing/run-file.ts";
import { parseSkips, parseTotals } from "../../scripts/testing/summary.ts";

const DENO = `running 3 tests from ./tests/a.test.ts
# skip: needs /proc
reads maps ... ignored (0ms)
works ... ok (1ms)

FAILED | 13 passed (2 steps) | 1 failed | 3 ignored (1 step) | 2 filtered out (6s)
`;
const BUN = `(skip) group > reads maps
(todo) later [0.83ms]

 12 pass
 4 skip
 1 todo
 1 fail
Ran 18 tests across 1 file. [6.20s]
`;
const NODE = `﹣ reads maps (0.086702ms) # needs /proc
﹣ bare (0.07211ms) # SKIP
ℹ tests 19
ℹ pass 13
ℹ fail 1
ℹ cancelled 2
ℹ skipped 4
ℹ todo 1
ℹ duration_ms 6213.594182
`;

function result(overrides: Partial<FileResult>): FileResult {
  const totals = { passed: 1, failed: 0, skipped: 0, milliseconds: 1 };
  return { file: "tests/a.test.ts", problem: null, skips: [], output: "", ...totals, ...overrides };
}

test("the totals of each runtime's reporter are read", () => {
  assert.deepEqual(parseTotals("deno", DENO), { passed: 13, failed: 1, skipped: 3 });
  assert.deepEqual(parseTotals("bun", BUN), { passed: 12, failed: 1, skipped: 5 });
  assert.deepEqual(parseTotals("node26", NODE), { passed: 13, failed: 3, skipped: 5 });
});

test("an output without its last line has no totals", () => {
  for (const { name } of RUNTIMES) {
    const output = { deno: DENO, bun: BUN, node26: NODE, node24: NODE, node22: NODE }[name];
    const end = output.trimEnd().lastIndexOf("\n");
    assert.equal(parseTotals(name, output.slice(0, end)), null, name);
  }
});

test("errors outside of Bun's tests count as failures", () => {
  const output = " 1 pass\n 0 fail\n 1 error\nRan 1 test across 1 file. [2.00ms]\n";
  assert.deepEqual(parseTotals("bun", output), { passed: 1, failed: 1, skipped: 0 });
});

test("a file of which Bun's filter fits no test has totals, of nothing", () => {
  const output =
    '\nerror: regex "x" matched 0 tests. Searched 1 file (skipping 13 tests) [3.00ms]\n';
  assert.deepEqual(parseTotals("bun", output), { passed: 0, failed: 0, skipped: 0 });
});

test("a skipped test's reason is the reporter's, or else the line that the test printed", () => {
  const reason = "needs /proc";
  assert.deepEqual(parseSkips("deno", DENO), [{ name: "reads maps", reason }]);
  assert.deepEqual(parseSkips("node22", NODE), [
    { name: "reads maps", reason },
    { name: "bare", reason: null },
  ]);
});

test("a test that Bun lists twice as skipped is one", () => {
  const skips = parseSkips("bun", "# skip: why\n(skip) one\n\n1 tests skipped:\n(skip) one\n");
  assert.deepEqual(skips, [{ name: "one", reason: "why" }]);
});

test("a reason that one runtime keeps to itself is taken from another", () => {
  const silent = [result({ skips: [{ name: "group > one", reason: null }] })];
  const lines = explainSkips([
    { title: "Deno", files: silent },
    { title: "Node 26", files: [result({ skips: [{ name: "one", reason: "why" }] })] },
    { title: "Bun", files: silent },
  ]);
  assert.deepEqual(lines, ["skipped: tests/a.test.ts: one (Deno, Node 26, Bun): why"]);
});

test("what failed is told at the end: the output without what passed, then a line a file", () => {
  const output = `${
    "(pass) other\n".repeat(80)
  }error: here it is\n(fail) one\n\n 1 pass\n 1 fail\n`;
  const lines = explainFailures([
    { title: "Deno", files: [result({})] },
    { title: "Bun", files: [result({ failed: 1, output })] },
    { title: "Node 26", files: [result({ failed: 1, problem: "crashed", output: DENO })] },
  ]);
  const [bun = "", node = ""] = lines;
  assert.equal(
    bun,
    "\n--- Bun: tests/a.test.ts\nerror: here it is\n(fail) one\n\n 1 pass\n 1 fail",
  );
  assert.doesNotMatch(node, /works/);
  assert.match(node, /1 failed/);
  assert.deepEqual(lines.slice(2), [
    "FAILED: Bun: tests/a.test.ts: 1 failed",
    "FAILED: Node 26: tests/a.test.ts: crashed",
  ]);
});

test("a file with fewer tests in one runtime than in another is pointed out", () => {
  const lines = differencesOf([
    { title: "Deno", files: [result({ passed: 2 })] },
    { title: "Bun", files: [result({ passed: 3 })] },
  ]);
  assert.deepEqual(lines, ["note: tests/a.test.ts reports 2 in Deno, 3 in Bun"]);
});

test("an unknown runtime is refused, and the message lists the known ones", () => {
  assert.throws(() => parseRuntimeNames(["node"]), {
    name: "RangeError",
    message: /one of deno, bun, node26, node22; got "node"/,
  });
});

function place(platform: string, libc: LibcName | null, runtime: RuntimeName = "node26"): Place {
  return { target: { name: "any", platform, arch: "x64", libc }, runtime, pinned: true };
}

function path(name: string): string {
  return join(ROOT, "tests", `${name}.test.ts`);
}

test("files about Linux are left out elsewhere, with the reason, and nowhere else", () => {
  assert.match(
    reasonToLeaveOut(path("run/run"), place("darwin", null)) ?? "",
    /LD_PRELOAD/,
  );
  assert.match(
    reasonToLeaveOut(path("system/system"), place("win32", null)) ?? "",
    /Linux's C libraries/,
  );
  for (const libc of ["glibc", "musl"] as const) {
    assert.equal(reasonToLeaveOut(path("run/run"), place("linux", libc)), null);
  }
  assert.equal(reasonToLeaveOut(path("verify/evidence"), place("win32", null)), null);
  assert.match(reasonToLeaveOut(path("bench/churn"), place("linux", "musl")) ?? "", /preload/);
  assert.equal(reasonToLeaveOut(path("bench/churn"), place("linux", "glibc")), null);
});

test("files about the scripts run in one runtime, all others in each", () => {
  for (const { name } of RUNTIMES) {
    const reason = reasonToLeaveOut(path("npm/release"), place("linux", "glibc", name));
    if (name === "node26") assert.equal(reason, null);
    else assert.match(reason ?? "", /always run by Node/, name);
    assert.equal(
      reasonToLeaveOut(path("project/api"), place("linux", "glibc", name)),
      null,
      name,
    );
  }
});

test("what would build the pinned versions is left out where another version is tested", () => {
  const where = place("linux", "glibc");
  const reason = reasonToLeaveOut(path("build/build"), { ...where, pinned: false });
  assert.match(reason ?? "", /the pinned versions in place of the one to be tested/);
  assert.equal(reasonToLeaveOut(path("build/build"), where), null);
  assert.equal(reasonToLeaveOut(path("project/api"), { ...where, pinned: false }), null);
});

test("every file that a rule names is there", () => {
  const names = testFiles().map(testName);
  for (const name of RULES.flatMap((rule) => rule.files)) assert.ok(names.includes(name), name);
});

test("a runtime without any test is a fault, unless files were left out in it", () => {
  const none = { passed: 0, failed: 0, skipped: 0 };
  assert.equal(lacksTests(none, 0), true);
  assert.equal(lacksTests(none, 1), false);
  for (const name of ["passed", "failed", "skipped"] as const) {
    assert.equal(lacksTests({ ...none, [name]: 1 }, 0), false, name);
  }
});

test("what was left out is told by its reason", () => {
  assert.deepEqual(
    explainLeftOut([
      { title: "Deno", leftOut: [["a", "once will do"], ["b", "once will do"]] },
      { title: "Bun", leftOut: [["a", "once will do"], ["c", "not here"]] },
    ]),
    ["left out in Deno, Bun: a, b: once will do", "left out in Bun: c: not here"],
  );
});

test("the slowest file comes first, with its time in each runtime that ran it", () => {
  const files = [
    result({ file: "slow", milliseconds: 1000 }),
    result({ file: "slower", milliseconds: 3000 }),
  ];
  assert.deepEqual(
    slowestFiles([{ title: "Deno", files }, { title: "Bun", files: files.slice(0, 1) }]),
    [["slower", "3.0", "3.0", "-"], ["slow", "2.0", "1.0", "1.0"]],
  );
});
