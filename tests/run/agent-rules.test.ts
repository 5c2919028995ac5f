/** When the agent gives memory back, by a clock, a program and an allocator that are made up. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { compileTo } from "../support/built-once.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { FIXTURES, ROOT } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const onLinux = skipUnless(process.platform === "linux", "Linux alone has agents");
const NATIVE = join(ROOT, "ffi", "native");

let made: string | undefined;
/** What the agent does while a program does what the words say, see `agent-rules.c`. */
function done(words: string): string[] {
  made ??= compileTo(join(temporaryDirectory(), "agent-rules"), {
    options: ["-g", "-O1", "-Wall", "-Wextra", "-Werror", `-I${NATIVE}`],
    sources: [join(FIXTURES, "agent-rules.c"), join(NATIVE, "agent", "purge.c")],
    after: [],
  });
  return execFileSync(made, words.split(" "), { encoding: "utf8" }).trim().split("\n");
}

/** The milliseconds at which something was done. */
function times(lines: readonly string[], what: string): number[] {
  return lines.filter((line) => line.endsWith(` ${what}`)).map((line) => parseInt(line, 10));
}

test("memory is given back after a second of rest, and not again without work", onLinux, () => {
  assert.deepEqual(done("begin work 1000 free 50 rest 60000 light 60000"), ["2000 purge"]);
  assert.deepEqual(done("idle 5000 begin work 1000 free 50 rest 60000"), ["6000 purge"]);
  const again = done("begin work 1000 free 50 rest 5000 work 3000 free 20 rest 5000");
  assert.deepEqual(again, ["2000 purge", "10000 purge"]);
  assert.deepEqual(done("idle 0 begin work 1000 free 50 rest 60000"), [""]);
});

test("work that is too short to be seen shows by the memory that it left", onLinux, () => {
  const words = "begin work 1000 free 50 rest 5000 grow 50 free 50 light 10000";
  assert.deepEqual(done(words), ["2000 purge", "9000 purge"]);
});

test(
  "three purges in a row that bring less than a hundredth are the last, until it has grown",
  onLinux,
  () => {
    const round = "work 2000 rest 3000 ";
    const lines = done(`begin ${round.repeat(8)}grow 50 ${round.repeat(2)}`.trim());
    assert.deepEqual(lines.map((line) => line.replace(/^\d+ /, "")), [
      "purge",
      "purge",
      "purge",
      "stop",
      "go on",
      "purge",
      "purge",
    ]);
    // What is brought in between begins the row again.
    const fruit = done(`begin ${round.repeat(2)}free 9 ${round}${round.repeat(2)}`.trim());
    assert.equal(times(fruit, "purge").length, 5);
    assert.deepEqual(times(fruit, "stop"), []);
  },
);

test(
  "near a limit memory is given back at once and kept for no time, until it is over",
  onLinux,
  () => {
    const words =
      "idle 0 begin used 899 work 1000 used 900 work 500 used 850 work 500 used 849 work 500";
    assert.deepEqual(done(words), ["1050 purge", "1050 decay 0", "2050 decay 10000"]);
  },
);

test("near a limit two purges are 2 s apart, and farther while they bring nothing", onLinux, () => {
  const fruit = done(`idle 0 begin used 950${" free 10 work 500".repeat(20)}`);
  assert.deepEqual(times(fruit, "purge"), [250, 2250, 4250, 6250, 8250]);
  const none = times(done("idle 0 begin used 950 work 200000"), "purge");
  const apart = none.slice(1).map((time, index) => time - (none[index] ?? 0));
  assert.deepEqual(apart, [4000, 8000, 16_000, 32_000, 64_000, 64_000]);
  // What goes up and down within the time is no reason for another one.
  const upAndDown = `idle 0 begin${" used 950 free 10 work 300 used 800 work 300".repeat(8)}`;
  assert.deepEqual(times(done(upAndDown), "purge"), [250, 2450, 4450]);
});

test(
  "a decay that is asked for while memory is short comes into force when that is over",
  onLinux,
  () => {
    const words = "idle 0 begin used 950 work 1000 decay 7 work 1000 used 100 work 1000";
    assert.deepEqual(done(words), ["250 purge", "250 decay 0", "2050 decay 7"]);
  },
);

test(
  "when the system says that memory is short, it is given back however little is used",
  onLinux,
  () => {
    const words = "idle 0 begin used 100 work 1000 free 10 wake wake work 1999 wake work 1 wake";
    assert.deepEqual(done(words), ["1000 purge", "3000 purge"]);
  },
);

test("what was given back near a limit is not asked for again at rest", onLinux, () => {
  const lines = done("steps 1 5 begin work 240 used 950 free 10 rest 10 used 100 rest 10000");
  assert.deepEqual(times(lines, "purge"), [250]);
});

test("an idle program's agent looks once a second at most, near a limit too", onLinux, () => {
  for (const used of [-1, 400, 600, 800, 950]) {
    const lines = done(`begin used ${used} work 1000 rest 10000 looks rest 60000 looks`);
    const counts = lines.filter((line) => line.endsWith(" looks")).map((line) =>
      parseInt(line, 10)
    );
    assert.ok((counts[1] ?? 99) <= 60, `${used}: ${lines}`);
  }
});

test(
  "a program that grows near a limit is looked at often, however little it computes",
  onLinux,
  () => {
    const words =
      "idle 0 begin work 1000 used 760 rest 10000 looks grow 20 rest 1000 looks rest 900 looks";
    const [, before, after] = done(words).map((line) => parseInt(line, 10));
    assert.ok((before ?? 99) <= 1 && (after ?? 0) >= 17, `${before}, then ${after} looks`);
    const seen = done(
      "idle 0 begin work 1000 used 760 rest 10000 grow 20 rest 1020 used 920 rest 100",
    );
    assert.deepEqual(times(seen, "purge").map((time) => time < 12_100), [true]);
  },
);

test("a purge goes in steps between which a fork can happen", onLinux, () => {
  const [, waited] = done("steps 10 15 begin work 1000 free 50 rest 10000");
  assert.equal(waited, "a fork waited for 30 at most");
});
