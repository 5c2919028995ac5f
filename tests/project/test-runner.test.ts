import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import type { LibcName } from "../../lib/library/target.ts";
import { ROOT } from "../../tools/paths.ts";
import {
  findRuntimes,
  parseRuntimeNames,
  type RuntimeName,
  RUNTIMES,
} from "../../tools/runtimes.ts";
import { type Place, reasonToLeaveOut, RULES } from "../../scripts/testing/left-out.ts";
import {
  differencesOf,
  explainFailures,
  explainLeftOut,
  explainSkips,
  lacksTests,
  slowestFiles,
} from "../../scripts/testing/report.ts";
import { chosenTests, testFiles, testName } from "../../scripts/testing/files.ts";
import { type FileResult, runFile } from "../../scripts/testing/run-file.ts";
import { findAlone, inOrder, INSTALLS, type Job, runQueue } from "../../scripts/testing/queue.ts";
import { readReport } from "../../scripts/testing/summary.ts";

/** Reports as the runtimes write them, of one test of each kind in a file, two of them in a group. */
const DENO = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="4" failures="1" errors="0" time="0.224">
    <testsuite name="./tests/a.test.ts" tests="3" disabled="1" errors="0" failures="1">
        <testcase name="ok &lt;1&gt; &amp; &quot;2&quot;" time="0.002" line="3" col="1">
        </testcase>
        <testcase name="bad" classname="./tests/a.test.ts" time="0.016" line="4" col="1">
            <failure message="Uncaught AssertionError: equal:

1 !== 2
">AssertionError</failure>
        </testcase>
        <testcase name="reads maps" classname="./tests/a.test.ts" time="0.000" line="5" col="1">
            <skipped/>
        </testcase>
    </testsuite>
    <testsuite name="ext:deno_node/testing.ts" tests="1" disabled="0" errors="0" failures="0">
        <testcase name="group &gt; inner" time="0.000" line="1" col="23191">
        </testcase>
    </testsuite>
</testsuites>
`;
const BUN = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="bun test" tests="4" assertions="0" failures="1" skipped="1" time="0.6">
  <testsuite name="tests/a.test.ts" file="tests/a.test.ts" tests="4" failures="1" skipped="1">
    <testcase name="ok &lt;1&gt; &amp; &quot;2&quot;" classname="" time="0.00261" line="3" />
    <testcase name="bad" classname="" time="0.052859" line="4" assertions="0">
      <failure type="AssertionError" message="equal:&#10;">AssertionError</failure>
    </testcase>
    <testcase name="reads maps" classname="" time="0" line="5" assertions="0">
      <skipped />
    </testcase>
    <testsuite name="group" file="tests/a.test.ts" line="7" tests="1" failures="0" skipped="0">
      <testcase name="inner" classname="group" time="0.000258" line="7" assertions="0" />
    </testsuite>
  </testsuite>
</testsuites>
`;
const NODE = `<?xml version="1.0" encoding="utf-8"?>
<testsuites>
	<testcase name="ok &lt;1> &amp; &quot;2&quot;" time="0.000954" classname="test" file="a"/>
	<testcase name="bad" time="0.001875" classname="test" file="a" failure="1 !== 2">
		<failure type="testCodeFailure" message="1 !== 2">
[Error [ERR_TEST_FAILURE]]
		</failure>
	</testcase>
	<testcase name="reads maps" time="0.000291" classname="test" file="a">
		<skipped type="skipped" message="needs &lt;proc>"/>
	</testcase>
	<testsuite name="group" time="0.009574" disabled="0" errors="0" tests="1" skipped="0">
		<testcase name="inner" time="0.000404" classname="group" file="a"/>
	</testsuite>
	<!-- tests 4 -->
</testsuites>
`;
const REPORTS = { DENO, BUN, NODE };

function result(overrides: Partial<FileResult>): FileResult {
  const totals = { passed: 1, failed: 0, skipped: 0, milliseconds: 1 };
  return { file: "tests/a.test.ts", problem: null, skips: [], output: "", ...totals, ...overrides };
}

test("each runtime's report has its totals, and why a test was skipped", () => {
  for (const [name, xml] of Object.entries(REPORTS)) {
    const output = name === "NODE" ? "" : "# skip: needs <proc>\n";
    assert.deepEqual(readReport(xml, output), {
      passed: 2,
      failed: 1,
      skipped: 1,
      skips: [{ name: "reads maps", reason: "needs <proc>" }],
    }, name);
  }
});

test("a report that is not there or is truncated is no report", () => {
  assert.equal(readReport("", ""), null);
  for (const [name, xml] of Object.entries(REPORTS)) {
    for (const length of [xml.length - 5, xml.length >> 1]) {
      assert.equal(readReport(xml.slice(0, length), ""), null, name);
    }
  }
});

test("a reason is no runner's word for none, and is not guessed from another test's", () => {
  const reasons = (xml: string, output: string) =>
    readReport(xml, output)?.skips.map(({ reason }) => reason);
  assert.deepEqual(reasons(NODE.replace("needs &lt;proc>", "true"), ""), [null]);
  assert.deepEqual(reasons(BUN, "# skip: one\n# skip: two\n"), [null]);
});

test("what a filter leaves out is not skipped, though Deno and Bun report it so", () => {
  const chosen = (wanted: string) => (name: string) => name.includes(wanted);
  const none = { skipped: 0, skips: [] };
  assert.deepEqual(readReport(BUN, "", chosen("ok")), { passed: 2, failed: 1, ...none });
  assert.equal(readReport(BUN, "", chosen("maps"))?.skipped, 1);
});

/** What a test file does beside a test that passes, and what the runner has to say of it. */
const AILING: Readonly<Record<string, readonly [code: string, problem: RegExp | null]>> = {
  well: ["", null],
  killed: ['process.kill(process.pid, "SIGKILL");', /^crashed with SIGKILL$/],
  "gone early": [
    "process.exit(0);",
    /^ended with status 0 and its report is missing or truncated$/,
  ],
  "failing late": [
    'process.on("exit", () => process.exitCode = 3);',
    /^ended with status 3, though no test failed$/,
  ],
  late: ["setTimeout(() => {}, 20_000);", /^took longer than 2 s and was ended$/],
  leaving: [
    'require("node:child_process").spawn("sleep", ["20"], { stdio: "inherit" }).unref();',
    /^left processes running, which were ended$/,
  ],
};

test("a file that crashes, hangs, ends early or leaves something running has failed", async (t) => {
  const { found: [runtime] } = await findRuntimes(parseRuntimeNames(["node26"]));
  assert.ok(runtime !== undefined);
  mkdirSync(join(ROOT, "build", "tests"), { recursive: true });
  const directory = mkdtempSync(join(ROOT, "build", "tests", "ailing-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const run = async (name: string, code: string): Promise<FileResult> => {
    const path = join(directory, `${name.replace(" ", "-")}.test.cjs`);
    writeFileSync(path, code);
    return await runFile(runtime, path, { timeout: name === "late" ? 2000 : 60_000 });
  };
  await Promise.all(
    Object.entries(AILING).map(async ([name, [code, problem]]) => {
      const text = `require("node:test").test("passes", () => {${code}});`;
      const result = await run(name, text);
      if (problem === null) assert.deepEqual([result.passed, result.problem], [1, null], name);
      else assert.match(result.problem ?? "", problem, name);
      assert.equal(result.failed, problem === null ? 0 : 1, name);
    }),
  );
  assert.match((await run("empty", "")).problem ?? "", /report is missing or truncated$/);
});

test("a report without tests has totals, of nothing", () => {
  const xml = '<?xml version="1.0" encoding="utf-8"?>\n<testsuites>\n</testsuites>\n';
  assert.deepEqual(readReport(xml, ""), { passed: 0, failed: 0, skipped: 0, skips: [] });
  assert.equal(readReport(xml.replaceAll("testsuites", "other"), ""), null);
});

/** A job of a runtime that need not be there. */
function job(name: RuntimeName, file: string): Job {
  const [spec] = RUNTIMES.filter((one) => one.name === name);
  assert.ok(spec !== undefined);
  return { runtime: { spec, binary: name, version: "1.0.0" }, path: path(file) };
}

test("the longest file is run first, whichever the runtime, and the one to be alone last", () => {
  const alone = "x/alone";
  const jobs = [job("deno", "a"), job("node26", alone), job("bun", "b"), job("bun", "a")];
  const seconds: Record<string, number> = { "a deno": 1, "b bun": 5, "a bun": 3 };
  const secondsOf = (name: string, runtime: string): number => seconds[`${name} ${runtime}`] ?? 100;
  const order = inOrder(jobs, secondsOf, new Set([alone]));
  assert.deepEqual(order, [jobs[2], jobs[3], jobs[0], jobs[1]]);
});

test("as many jobs run as were asked for, none of them one file twice, and each once", async () => {
  const alone = "x/alone";
  const jobs = [
    job("deno", "a"),
    job("bun", "a"),
    job("node26", "b"),
    job("bun", "c"),
    job("bun", alone),
  ];
  const running = new Set<Job>();
  const seen: string[] = [];
  await runQueue(jobs, 2, async (one) => {
    running.add(one);
    seen.push(
      [...running].map(({ path, runtime }) => `${testName(path)} ${runtime.binary}`).join(),
    );
    await new Promise((resolve) => setImmediate(resolve));
    if (seen.length > 1) running.delete(one);
    else await new Promise((resolve) => setImmediate(resolve));
    running.delete(one);
  }, new Set([alone]));
  assert.equal(seen.length, jobs.length);
  assert.equal(seen[1], "a deno,b node26", "the second waits for the same file");
  assert.ok(seen.every((names) => names.split(",").length <= 2));
  assert.equal(seen.at(-1), `${alone} bun`);
});

test("a run ends at once when a job cannot be done", async () => {
  await assert.rejects(
    runQueue([job("bun", "a")], 2, () => Promise.reject(new Error("no"))),
    /^Error: no$/,
  );
});

test("a file runs alone where something would be installed for it, and only there", () => {
  const [[name = ""] = []] = INSTALLS;
  assert.deepEqual([...findAlone(() => false, true)], [name]);
  assert.deepEqual([...findAlone(() => true, true)], []);
  assert.deepEqual([...findAlone(() => false, false)], [], "only root installs");
});

test("every file for which something is installed is there, and asks for it", () => {
  for (const [name, programs] of INSTALLS) {
    const path = testFiles().find((file) => testName(file) === name);
    assert.ok(path !== undefined, name);
    const text = readFileSync(path, "utf8");
    for (const program of programs) assert.ok(text.includes(`"${program.slice(1)}"`), program);
  }
});

test("a reason that one runtime keeps to itself is taken from another", () => {
  const silent = [result({ skips: [{ name: "group > one", reason: null }] })];
  const explained = explainSkips([
    { title: "Deno", files: silent },
    { title: "Node 26", files: [result({ skips: [{ name: "one", reason: "why" }] })] },
    { title: "Bun", files: silent },
  ]);
  assert.deepEqual(explained, {
    lines: ["skipped: tests/a.test.ts: one (Deno, Node 26, Bun): why"],
    unexplained: 0,
  });
  const alone = explainSkips([{ title: "Deno", files: silent }]);
  assert.match(alone.lines[0] ?? "", /one \(Deno\): no reason was printed$/);
  assert.equal(alone.unexplained, 1);
});

test("what failed is printed at the end: the output without what passed, then a line a file", () => {
  const output = `${
    "(pass) other\n".repeat(80)
  }error: here it is\n(fail) one\n\n 1 pass\n 1 fail\n`;
  const lines = explainFailures([
    { title: "Deno", files: [result({})] },
    { title: "Bun", files: [result({ failed: 1, output })] },
    {
      title: "Node 26",
      files: [
        result({
          failed: 1,
          problem: "crashed",
          output: "works ... ok (1ms)\nFAILED | 13 passed | 1 failed (6s)\n",
        }),
      ],
    },
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
  return {
    target: { name: "any", platform, arch: "x64", libc },
    runtime,
    pinned: true,
    everywhere: false,
  };
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
  assert.equal(reasonToLeaveOut(path("verify/verify"), place("win32", null)), null);
  assert.match(
    reasonToLeaveOut(path("bench/churn"), place("linux", "musl", "bun")) ?? "",
    /preload/,
  );
  assert.equal(reasonToLeaveOut(path("bench/churn"), place("linux", "glibc", "bun")), null);
});

test("files about the scripts run in one runtime, all others in each", () => {
  for (const { name } of RUNTIMES) {
    const reason = reasonToLeaveOut(path("npm/release"), place("linux", "glibc", name));
    if (name === "node26") assert.equal(reason, null);
    else assert.match(reason ?? "", /always run by Node/, name);
    assert.equal(
      reasonToLeaveOut(path("memory/block"), place("linux", "glibc", name)),
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
  assert.equal(reasonToLeaveOut(path("memory/block"), { ...where, pinned: false }), null);
});

test("words choose files by their paths in the checkout, wherever that is", () => {
  const names = (...words: string[]) => chosenTests(words).map(testName);
  assert.deepEqual(names(), testFiles().map(testName));
  assert.deepEqual(names("memory/bl"), ["memory/block"]);
  assert.deepEqual(names("memory/block", "run/run."), ["memory/block", "run/run"]);
  assert.deepEqual(names(path("memory/block")), ["memory/block"]);
  assert.deepEqual(names(join(ROOT, "tests", "ffi")), names("tests/ffi/"));
  assert.throws(() => names(`${basename(ROOT)}/tests`), /no file in tests\/ matches/);
});

test("every file that a rule names is there", () => {
  const names = testFiles().map(testName);
  for (const name of RULES.flatMap((rule) => rule.files)) assert.ok(names.includes(name), name);
});

test("each file of which a push tries less is named where that is documented", () => {
  const guide = readFileSync(join(ROOT, "CONTRIBUTING.md"), "utf8");
  const [, section = ""] = /### What a push leaves out\n([^]*?)\n### /.exec(guide) ?? [];
  const less = testFiles().filter((file) =>
    /from "[./]+support\/effort\.ts"/.test(readFileSync(file, "utf8"))
  ).map(testName);
  assert.ok(less.length > 30, "they are found");
  assert.deepEqual(less.filter((name) => !section.includes(`\`${name}\``)), []);
});

test("a runtime without any test is a fault, unless files were left out in it", () => {
  const none = { passed: 0, failed: 0, skipped: 0 };
  assert.equal(lacksTests(none, 0), true);
  assert.equal(lacksTests(none, 1), false);
  for (const name of ["passed", "failed", "skipped"] as const) {
    assert.equal(lacksTests({ ...none, [name]: 1 }, 0), false, name);
  }
});

test("what was left out is printed by its reason", () => {
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
