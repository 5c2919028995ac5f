import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { CASES, programOf } from "../../bench/suite/cases.ts";
import { compactSeries, execute, requireServed } from "../../bench/suite/execute.ts";
import { openJournal } from "../../bench/suite/journal.ts";
import { type PlanKey, planSteps, secondsLeft, stepName } from "../../bench/suite/plan.ts";
import type { Subject } from "../../bench/suite/prepare.ts";
import { type Progress, progressText } from "../../bench/suite/progress.ts";
import { MODES, type Run } from "../../bench/suite/results.ts";
import { runSuite } from "../../bench/suite/run.ts";
import { lacking, select, setUp, type Tables } from "../../bench/suite/setup.ts";
import { BASELINE, SUBJECTS } from "../../bench/suite/subjects.ts";
import { summarise } from "../../bench/suite/summary.ts";
import { standIn } from "../support/bench-suite.ts";
import { temporaryDirectory } from "../support/compile.ts";
import {
  builtLibrary,
  childEnvironment,
  FIXTURES,
  runChild,
  runtimeCommand,
} from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const LINUX = process.platform === "linux";
const RUNS = skipUnless(LINUX, "the benchmark suite reads /proc and preloads as Linux does");
const NEVER = new AbortController().signal;
const TABLES: Tables = { cases: CASES, subjects: SUBJECTS, programOf };

function subject(id: string, allocator: string, library?: string): Subject {
  return {
    variant: {
      name: id,
      plain: true,
      ...(library === undefined ? {} : { variables: { LD_PRELOAD: library } }),
    },
    files: library === undefined ? [] : [library],
    info: {
      id,
      title: id,
      allocator,
      version: "1",
      build: "release",
      command: "",
      preloaded: [],
      variables: {},
    },
  };
}

const SYSTEM = subject(BASELINE, "glibc");
const JEMALLOC = subject("jemalloc", "jemalloc", LINUX ? builtLibrary("jemalloc") : "");

function run(caseId: string, subjectId: string, round: number, value: number): Run {
  return {
    case: caseId,
    subject: subjectId,
    round,
    seconds: value,
    output: {
      work: "w",
      servedBy: { allocator: "glibc", verified: true, object: "libc.so.6" },
      metrics: { wall: { value, unit: "s", better: "lower" } },
    },
  };
}

const KEY: PlanKey = { mode: "quick", offheap: "1", seed: 1, cases: {}, subjects: {} };

const unseen: Progress = () => {};

test("each round has every subject once, in another order, and warm-ups come first", () => {
  const ids = ["a", "b", "c", "d", "e", "f"];
  const planned = [standIn("one", ids, {}, 3), { ...standIn("two", ids, {}, 2), warmUp: false }];
  const all = planSteps(planned, 5);
  assert.deepEqual(all, planSteps(planned, 5), "the same seed gives the same plan");
  assert.deepEqual(all[0], { case: "one", subject: "a", round: 0 });
  assert.equal(all.filter(({ round }) => round === 0).length, 1);
  const rounds = all.filter(({ round }) => round > 0)
    .map(({ case: id, round }) => `${id} ${round}`)
    .filter((name, i, names) => name !== names[i - 1]);
  assert.deepEqual(rounds, ["one 1", "two 1", "one 2", "two 2", "one 3"]);
  const orders = [1, 2, 3].map((round) =>
    all.filter((step) => step.case === "one" && step.round === round).map((step) => step.subject)
  );
  for (const order of orders) assert.deepEqual(order.toSorted(), ids);
  assert.ok(new Set(orders.map(String)).size > 1, "rounds differ in their order");
  assert.equal(new Set(all.map(stepName)).size, all.length);
});

test("warm-ups do not count, and a ratio is the middle of paired ones", () => {
  const info = standIn("c", [BASELINE, "x"]).info;
  const runs = [
    run("c", BASELINE, 0, 100),
    ...[1, 2, 3].map((round) => run("c", BASELINE, round, round)),
    ...[1, 2, 3].map((round) => run("c", "x", round, round * [2, 4, 3][round - 1]!)),
  ];
  const [base, other, extra] = summarise([info], runs, BASELINE, [
    { subject: "x", baseline: BASELINE, metric: "wall" },
  ]);
  assert.equal(base?.value, 2);
  assert.equal(base?.ratio, undefined);
  const { median, low, high, ...rest } = other?.ratio ?? assert.fail("there is no ratio");
  assert.deepEqual(rest, { baseline: BASELINE, coverage: 0.75, pairs: 3 });
  // The middle of the six means of the logarithms of 2, 3 and 4.
  const middle = Math.sqrt(Math.sqrt(2 * 4) * 3);
  assert.deepEqual([low, median, high].map((each) => each?.toFixed(9)), [
    "2.000000000",
    middle.toFixed(9),
    "4.000000000",
  ]);
  assert.deepEqual(extra?.ratio, other?.ratio);
});

test("every case has the baseline, a quick run is planned below five minutes and a full one below an hour", () => {
  const limits = { quick: 300, full: 3600 } as const;
  const ids = SUBJECTS.map(({ id }) => id);
  assert.equal(new Set(CASES.map(({ id }) => id)).size, CASES.length);
  for (const mode of MODES) {
    let seconds = 0;
    for (const { id, plans } of CASES) {
      const plan = plans[mode];
      if (plan === null) continue;
      assert.ok(plan.subjects.includes(BASELINE), id);
      assert.deepEqual(plan.subjects.filter((one) => !ids.includes(one)), [], id);
      seconds += (plan.subjects.length * plan.rounds + (plan.warmUp ? 1 : 0)) * plan.seconds;
    }
    assert.ok(seconds < limits[mode], `${mode} is planned to take ${seconds} s`);
  }
});

test("a choice is applied, and what fits nothing is refused with what there is", () => {
  const all = select({ mode: "full" }, TABLES);
  assert.equal(all.subjects[0]?.id, BASELINE);
  assert.equal(all.subjects.length, SUBJECTS.length);
  const some = select({ mode: "quick", only: "larson", subjects: ["jemalloc-balanced"] }, TABLES);
  assert.deepEqual(some.cases.map(({ id }) => id), ["native-larson"]);
  assert.deepEqual(some.subjects.map(({ id }) => id), [BASELINE, "jemalloc-balanced"]);
  assert.throws(() => select({ mode: "quick", only: "nope" }, TABLES), /native-larson.*"nope"/);
  assert.throws(
    () => select({ mode: "quick", subjects: ["nope"] }, TABLES),
    /jemalloc-balanced.*got "nope"/,
  );
  const [first] = some.cases;
  assert.ok(first !== undefined);
  const setup = setUp(
    { mode: "quick", rounds: 4 },
    some,
    {
      subjects: [SYSTEM],
      missing: [{ id: "jemalloc-balanced", title: "j", reason: "r" }],
    },
    TABLES,
    [],
  );
  assert.deepEqual(setup.cases[0]?.info.subjects, [BASELINE]);
  assert.equal(setup.cases[0]?.info.rounds, 4);
  assert.equal(setup.missing.length, 1);
});

test("a case without its program or runtime is reported before anything runs", () => {
  const [spec] = CASES;
  assert.ok(spec !== undefined);
  const gone = {
    ...TABLES,
    programOf: () => ({ file: "/nowhere", command: ["/nowhere"] as const }),
  };
  assert.deepEqual(lacking([spec], gone, []), [`${spec.id}: /nowhere does not exist`]);
  const script = CASES.filter(({ runtime }) => runtime === "deno").slice(0, 1);
  assert.match(lacking(script, TABLES, []).join(), /deno was not found/);
});

test("the time left is of finished runs where there are some, else of the table", () => {
  const planned = [standIn("one", [BASELINE]), standIn("two", [BASELINE])];
  const left = ["one", "one", "two"].map((id, round) => ({ case: id, subject: BASELINE, round }));
  assert.equal(secondsLeft(left, planned, (id) => id === "one" ? 10 : null), 21);
});

test("another allocator than the subject's, or one from another file, is refused", () => {
  const served = (allocator: string, verified: boolean, object: string) => ({
    allocator,
    verified,
    object,
  });
  const own = subject("j", "jemalloc", "/a/libjemalloc.so");
  requireServed("x", own, served("jemalloc", true, 'mallctl is at 0x1 in "/a/libjemalloc.so"'));
  requireServed("x", SYSTEM, served("glibc", true, "/lib/libc.so.6"));
  for (
    const [who, evidence] of [
      [own, served("glibc", true, "/a/libjemalloc.so")],
      [own, served("jemalloc", false, "/a/libjemalloc.so")],
      [own, served("jemalloc", true, "/b/libjemalloc.so")],
      [SYSTEM, served("glibc", true, "/a/libjemalloc.so")],
    ] as const
  ) {
    assert.throws(() => requireServed("case x", who, evidence), /Cannot count case x: malloc must/);
  }
});

test("a series is kept as whole KiB and milliseconds", () => {
  const column = [1500, 2600];
  const compact = compactSeries({
    time: [0.4, 100.6],
    resident: column,
    heap: column,
    external: column,
    live: [null, 1500],
    held: [1500, null],
    phases: [{ name: "idle", start: 0.6 }],
  });
  assert.deepEqual(compact.time, [0, 101]);
  assert.deepEqual(compact.resident, [1024, 3072]);
  assert.deepEqual(compact.live, [null, 1024]);
  assert.deepEqual(compact.phases, [{ name: "idle", start: 1 }]);
});

test("a journal gives back what was added, and reports a truncated line", () => {
  const path = join(temporaryDirectory(), "runs.jsonl");
  const first = openJournal(path, { key: KEY, fresh: false });
  first.add(run("a", BASELINE, 1, 1));
  first.add(run("a", BASELINE, 2, 2));
  const text = readFileSync(path, "utf8");
  writeFileSync(path, text.slice(0, -20));

  const second = openJournal(path, { key: KEY, fresh: false });
  assert.equal(second.started, first.started);
  assert.match(second.notes.join(), /was truncated/);
  assert.deepEqual(second.runs.map(({ round }) => round), [1]);
  assert.ok(second.has({ case: "a", subject: BASELINE, round: 1 }));
  assert.ok(!second.has({ case: "a", subject: BASELINE, round: 2 }));
  second.add(run("a", BASELINE, 2, 2));
  assert.equal(readFileSync(path, "utf8"), text, "the file is whole again");

  assert.deepEqual(openJournal(path, { key: KEY, fresh: true }).runs, []);
});

test("a journal that is damaged elsewhere, or of another plan, is refused", () => {
  const path = join(temporaryDirectory(), "runs.jsonl");
  openJournal(path, { key: KEY, fresh: false }).add(run("a", BASELINE, 1, 1));
  const other = { ...KEY, offheap: "2", cases: { a: "x" } };
  assert.throws(
    () => openJournal(path, { key: other, fresh: false }),
    /another plan, which differs in offheap, case a;.*--fresh/,
  );
  appendFileSync(path, "{ no JSON\n");
  assert.throws(() => openJournal(path, { key: KEY, fresh: false }), /line 3 of .* is no JSON/);
  writeFileSync(path, readFileSync(path, "utf8").replace("{ no JSON", '{"case":1}'));
  assert.throws(() => openJournal(path, { key: KEY, fresh: false }), /line 3 of .* not what/);
});

test("a suite that stopped goes on, and repeats no run", RUNS, async () => {
  const path = join(temporaryDirectory(), "runs.jsonl");
  const cases = [standIn("one", [BASELINE, "jemalloc"])];
  const plan = planSteps(cases, 3);
  const subjects = [SYSTEM, JEMALLOC];
  const open = () => openJournal(path, { key: KEY, fresh: false });
  const stop = new AbortController();
  const stopping: Progress = (_, done) => {
    if (done === 2) stop.abort();
  };
  const suite = { cases, subjects, steps: plan };
  await assert.rejects(
    runSuite({ ...suite, journal: open(), progress: stopping, abort: stop.signal }),
    { name: "AbortError" },
  );
  assert.deepEqual(open().runs.map(stepName), plan.slice(0, 2).map(stepName));

  const lines: string[] = [];
  const progress: Progress = (...about) => lines.push(progressText(...about));
  await runSuite({ ...suite, journal: open(), progress, abort: NEVER });
  const { runs } = open();
  assert.deepEqual(runs.map(stepName), plan.map(stepName));
  assert.match(lines[0] ?? "", /^\[3\/5\] one, .*about \d+s left$/);
  assert.equal(lines.length, 3);
  const series = runs.filter(({ output }) => output.memory !== undefined);
  assert.deepEqual(series.map(({ round }) => round), [1, 1], "one round's series are kept");
  assert.ok(series.every(({ output }) => output.memory?.time[0] === 0));
});

test(
  "a run that fails, prints something else or does other work ends the suite",
  RUNS,
  async () => {
    const step = { case: "c", subject: BASELINE, round: 1 };
    const failing = (fail: string) => standIn("c", [BASELINE], { fail });
    await assert.rejects(execute(step, failing("status"), SYSTEM, NEVER), {
      name: "RunError",
      message: /c under system ended with status 3; it said:\nthe stand-in was told to fail/,
    });
    await assert.rejects(execute(step, failing("output"), SYSTEM, NEVER), {
      name: "RunError",
      message: /its last line: no JSON/i,
    });
    await assert.rejects(
      execute(step, standIn("c", []), { ...JEMALLOC, variant: SYSTEM.variant }, NEVER),
      {
        name: "RunError",
        message: /must be served by jemalloc .*got glibc, verified/,
      },
    );
    const journal = openJournal(join(temporaryDirectory(), "runs.jsonl"), {
      key: KEY,
      fresh: false,
    });
    const cases = [failing("work")];
    const suite = { cases, subjects: [SYSTEM], steps: planSteps(cases, 1), journal };
    await assert.rejects(
      runSuite({ ...suite, progress: unseen, abort: NEVER }),
      /must do the same work/,
    );
    assert.equal(journal.runs.length, 1, "what came before it stays");
  },
);

test(
  "interrupted by SIGINT, the suite ends its program and keeps what is whole",
  RUNS,
  async () => {
    const directory = temporaryDirectory();
    const words = (wait: string): [string, ...string[]] =>
      runtimeCommand(
        join(FIXTURES, "bench-suite.ts"),
        directory,
        JSON.stringify({ wait }),
      );
    const [file, ...args] = words("600000");
    const child = spawn(file, args, {
      env: childEnvironment(),
      stdio: ["ignore", "ignore", "pipe"],
    });
    let said = "";
    let told = false;
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      // Not child.kill: after that Deno says that the signal ended the child, whatever it did.
      if (!told && said.includes("[1/8]")) told = process.kill(child.pid ?? 0, "SIGINT");
    });
    const status = await new Promise((resolve) => child.once("close", resolve));
    assert.equal(status, 130, said);
    assert.match(said, /Interrupted; 0 of 8 runs are kept/);

    // The same directory, but other arguments of the cases: these runs would not compare.
    const other = await runChild(words("1"));
    assert.equal(other.status, 1);
    assert.match(other.stderr, /of another plan, which differs in case one, case two/);
  },
);
