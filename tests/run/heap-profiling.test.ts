/** What samples of a launched program's heap say of its JavaScript. */
import assert from "node:assert/strict";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runtimeInfo } from "../../ffi/mod.ts";
import { askAgent } from "../../lib/watch/agent/client.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { effort } from "../support/effort.ts";
import { readDump, shareThrough, takeDump } from "../support/heap-dump.ts";
import {
  duringSampling,
  HAS_UNWINDER,
  launched,
  WITH_UNWINDER as here,
} from "../support/sampled.ts";
import { FIXTURES, runChild, runtimeCommand } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const runtime = runtimeInfo().name;
/** Its map names the code that it makes. */
const named = skipUnless(HAS_UNWINDER && runtime !== "bun", "its engine writes no map of its code");
const LEAK = join(FIXTURES, "heap-leak.ts");

test("what a function of JavaScript holds is found under its name", named, async () => {
  for (const kind of ["buffers", "worker", "blocks"]) {
    const words = ["--heap-profiling=64KiB", "--active"];
    await duringSampling(launched(words, runtimeCommand(LEAK, kind)), async (pid) => {
      const stacks = readDump(await takeDump(pid));
      const share = shareThrough(pid, stacks, /leakNamed/);
      assert.ok(share > 0.9, `${kind}: ${share}`);
    });
  }
});

test(
  "a process that exits leaves neither its map nor dumps, nor a log of its engine",
  here,
  async () => {
    const code = 'process.on("SIGTERM", () => process.exit(0)); setInterval(() => {}, 60_000); ' +
      "console.log(process.pid);";
    const directory = temporaryDirectory();
    const script = join(directory, "exit.mjs");
    writeFileSync(script, `import process from "node:process";\n${code}\n`);
    let dump = "";
    const command = launched(["--heap-profiling"], runtimeCommand(script));
    await duringSampling(
      ["sh", "-c", 'cd "$0" && exec "$@"', directory, ...command],
      async (pid, child) => {
        const ended = new Promise((resolve) => child.once("close", resolve));
        dump = (await askAgent(pid, "profile dump")).dump ?? "";
        assert.equal(readdirSync("/tmp").includes(`perf-${pid}.map`), runtime !== "bun");
        assert.ok(existsSync(dump));
        child.kill("SIGTERM");
        await ended;
        // Bun ends without exit handlers.
        assert.equal(existsSync(dump), runtime === "bun");
        assert.equal(readdirSync("/tmp").includes(`perf-${pid}.map`), false);
      },
    );
    if (runtime === "bun") rmSync(dump);
    assert.deepEqual(readdirSync(directory), ["exit.mjs"]);
  },
);

test(
  "a dump takes the place of what an earlier process of this number left, and follows no link",
  here,
  async () => {
    const command = launched(["--heap-profiling"], runtimeCommand(LEAK, "buffers"));
    await duringSampling(command, async (pid) => {
      const dump = () => askAgent(pid, "profile dump");
      const first = (await dump()).dump ?? "";
      const next = (number: number) => first.replace(/\.1\.heap$/, `.${number}.heap`);
      writeFileSync(next(2), "left", { mode: 0o644 });
      const other = join(temporaryDirectory(), "other");
      writeFileSync(other, "another's");
      symlinkSync(other, next(3));
      for (const number of [2, 3]) {
        assert.deepEqual([(await dump()).dump], [next(number)]);
        const status = lstatSync(next(number));
        assert.deepEqual([status.isFile(), status.mode & 0o777], [true, 0o600]);
        assert.match(readFileSync(next(number), "utf8"), /^heap_v2\//);
      }
      assert.equal(readFileSync(other, "utf8"), "another's");
      mkdirSync(next(4));
      assert.match((await dump()).refused ?? "", /^no file could be made in the agent's directory/);
      rmdirSync(next(4));
      assert.equal((await dump()).dump, next(4));
      for (const number of [1, 2, 3, 4]) rmSync(next(number));
    });
  },
);

test("verification holds each time while samples are taken", here, async () => {
  const times = effort(20, 100);
  const verify = runtimeCommand(join(FIXTURES, "verify-often.ts"), "jemalloc", `${times}`);
  const command = launched(["--heap-profiling=1KiB", "--active"], verify);
  const { status, stdout, stderr } = await runChild(command);
  assert.deepEqual([status, stderr], [0, ""]);
  assert.deepEqual(JSON.parse(stdout), { verified: times, first: null });
});

test(
  "stacks go through JavaScript without names in Bun, to the start of the program",
  skipUnless(HAS_UNWINDER && runtime === "bun", "it is about Bun"),
  async () => {
    const words = ["--heap-profiling=64KiB", "--active"];
    await duringSampling(launched(words, runtimeCommand(LEAK, "blocks")), async (pid) => {
      const text = await takeDump(pid);
      const stacks = readDump(text).filter(({ bytes }) => bytes >= 1 << 20);
      const bytes = stacks.reduce((sum, each) => sum + each.bytes, 0);
      assert.ok(bytes >= 60 << 20, `${bytes} bytes of blocks`);
      const [, start, end] = /^([0-9a-f]+)-([0-9a-f]+) r-xp .*\/libc\.so/m.exec(text) ?? [];
      const [from, to] = [BigInt(`0x${start}`), BigInt(`0x${end}`)];
      // What calls main is in the C library.
      for (const { frames } of stacks) {
        assert.ok(frames.some((frame) => frame > from && frame < to), `${frames.length} frames`);
      }
    });
  },
);
