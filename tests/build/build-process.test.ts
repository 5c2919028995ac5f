import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync, utimesSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { LOCK_NAME, lockDirectory } from "../../packages/build/store/lock.ts";
import { buildNative } from "../../packages/build/mod.ts";
import { TEMPORARY_PREFIX } from "../../packages/build/store/output.ts";
import { temporaryDirectory } from "../support/compile.ts";
import {
  fakeMimalloc,
  type HeldCompiler,
  heldCompiler,
  outputWithShim,
} from "../support/fake-allocator.ts";
import { ROOT, runChild, runtimeCommand } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const SCRIPT = join(ROOT, "scripts/build-native.ts");

const onLinux = skipUnless(process.platform === "linux", "the build script builds for Linux");

interface Build {
  readonly child: ChildProcess;
  /** Waits until a text was printed. */
  printed(text: string): Promise<void>;
  /** Waits for the end; the status or the signal. */
  readonly ended: Promise<number | string | null>;
  output(): string;
}

function startBuild(source: string, out: string, compiler: HeldCompiler): Build {
  const place = ["--variant", "release", "--out", out, "--no-debian"];
  const args = ["--allocator", "mimalloc", "--source", source, ...place];
  const [program, ...rest] = runtimeCommand(SCRIPT, ...args);
  const child = spawn(program, rest, {
    env: { ...process.env, CC: compiler.command },
    stdio: ["ignore", "pipe", "pipe"],
  });
  process.once("exit", () => child.kill("SIGKILL"));
  let output = "";
  let look = (): void => {};
  const take = (text: string): void => {
    output += text;
    look();
  };
  child.stdout.setEncoding("utf8").on("data", take);
  child.stderr.setEncoding("utf8").on("data", take);
  const ended = new Promise<number | string | null>((resolve) =>
    child.once("close", (status, signal) => {
      look();
      resolve(status ?? signal);
    })
  );
  return {
    child,
    ended,
    output: () => output,
    printed: (text) =>
      new Promise((resolve, reject) => {
        look = () => {
          if (output.includes(text)) resolve();
          else if (child.exitCode !== null) reject(new Error(`no "${text}" in: ${output}`));
        };
        look();
      }),
  };
}

/** Waits for a build's compiler at its gate; the process group that it runs in. */
async function arrival(build: Build, compiler: HeldCompiler): Promise<number> {
  // Or a build that fails early would have the test wait for ever.
  void build.ended.then(() => compiler.ring());
  const group = await compiler.arrived();
  assert.ok(group > 0, build.output());
  return group;
}

function leftovers(out: string): string[] {
  return readdirSync(out).filter((name) => name.startsWith(TEMPORARY_PREFIX) || name === LOCK_NAME);
}

test("of two builds in parallel the second waits, then finds nothing to do", onLinux, async () => {
  const out = outputWithShim();
  const [source, compiler] = [fakeMimalloc(), heldCompiler()];
  const first = startBuild(source, out, compiler);
  await arrival(first, compiler);
  const second = startBuild(source, out, compiler);
  await second.printed("Another build is at work");
  compiler.open();
  assert.equal(await first.ended, 0, first.output());
  assert.equal(await second.ended, 0, second.output());
  assert.match(second.output(), /Nothing to do\./);
  assert.equal(readFileSync(compiler.log, "utf8").trim().split("\n").length, 1);
  assert.deepEqual(leftovers(out), []);
});

test(
  "an interrupted build ends its compiler, removes what it began and says so",
  onLinux,
  async () => {
    for (const [signal, status] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
      const out = outputWithShim();
      const compiler = heldCompiler();
      const build = startBuild(fakeMimalloc(), out, compiler);
      const group = await arrival(build, compiler);
      // Not by the child object: in Deno it then reports the signal whatever the status was.
      process.kill(build.child.pid ?? 0, signal);
      assert.equal(await build.ended, status, build.output());
      assert.throws(() => process.kill(-group, 0), { code: "ESRCH" });
      assert.match(build.output(), /Interrupted; what was begun is removed\./);
      assert.deepEqual(readdirSync(out).sort(), ["liboffheap.so", "liboffheap.so.json"]);
    }
  },
);

test(
  "a killed build leaves nothing that looks finished, and the next one cleans up",
  onLinux,
  async () => {
    const out = outputWithShim();
    const [source, compiler] = [fakeMimalloc(), heldCompiler()];
    const build = startBuild(source, out, compiler);
    const group = await arrival(build, compiler);
    build.child.kill("SIGKILL");
    assert.equal(await build.ended, "SIGKILL");
    assert.ok(!readdirSync(out).includes("libmimalloc.so"));
    assert.equal(leftovers(out).length, 2);
    // As if the seconds had passed after which a lock that nobody touches is stale.
    utimesSync(join(out, LOCK_NAME), new Date(0), new Date(0));
    const [, result] = await buildNative({
      allocator: "mimalloc",
      variant: "release",
      source,
      outDirectory: out,
      debian: false,
    });
    assert.equal(result?.outcome, "built");
    assert.deepEqual(leftovers(out), []);
    // Its compiler outlives it, and would do no harm: its directory is gone.
    process.kill(-group, "SIGKILL");
  },
);

test("an abort ends a build that waits for the lock of another", onLinux, async () => {
  const out = join(temporaryDirectory(), "out");
  const lock = await lockDirectory(out, () => {});
  try {
    const stop = new AbortController();
    let waited = 0;
    const waiting = (): void => {
      waited++;
      stop.abort(new Error("stop waiting"));
    };
    await assert.rejects(lockDirectory(out, waiting, stop.signal), (error) => error !== undefined);
    assert.equal(waited, 1);
  } finally {
    await lock.release();
  }
  const next = await lockDirectory(out, () => assert.fail("the lock was given back"));
  await next.release();
});

test(
  "the command refuses wrong usage with status 2, and values that it does not know with 1, in one sentence",
  onLinux,
  async () => {
    const cases: readonly (readonly [readonly string[], RegExp, number])[] = [
      [["--bogus"], /unknown option '--bogus'/, 2],
      [["--variant", "fast"], /Allowed choices are release, debug, secure, preload/, 2],
      [["--allocator", "tcmalloc"], /Allowed choices are all, jemalloc, mimalloc/, 2],
      [["--mimalloc-version", "9"], /the pinned versions are 2\.0\.9, 2\.4\.1, 3\.4\.3/, 1],
      [["extra"], /too many arguments/, 2],
    ];
    for (const [args, pattern, status] of cases) {
      const result = await runChild(runtimeCommand(SCRIPT, ...args));
      assert.equal(result.status, status, result.stderr);
      assert.match(result.stderr, /^error: /);
      assert.match(result.stderr, pattern);
      assert.equal(result.stderr.trim().split("\n").length, 1, result.stderr);
    }
  },
);
