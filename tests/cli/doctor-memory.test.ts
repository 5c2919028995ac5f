import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { runtimeInfo } from "../../ffi/mod.ts";
import { system } from "../../lib/system/mod.ts";
import type { MemoryReport } from "../../lib/watch/doctor/memory/types.ts";
import { type AnsweringChild, withChild } from "../support/child.ts";
import { compileShared } from "../support/compile.ts";
import { onceInBun } from "../support/effort.ts";
import { FIXTURES, offheapCommand, runChild, runtimeCommand } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const IS_GLIBC = process.platform === "linux" && system().libc().name === "glibc";
const glibc = () => skipUnless(IS_GLIBC, "needs Linux with glibc, whose counters are read");
/** What the agent and the allocator say is asked for in the same way by each runtime. */
const once = () => onceInBun("the agent and /proc are read", glibc());

const library = IS_GLIBC ? compileShared("diseases.c", "libdiseases-cli.so") : "";

/** Runs the program with a disease, by `offheap run` where it is to have an agent. */
function withDisease(
  disease: string,
  run: readonly string[] | null,
  use: (child: AnsweringChild) => Promise<void>,
): Promise<void> {
  const program = runtimeCommand(join(FIXTURES, "diseases.ts"), disease, library);
  const [command, ...args] = run === null
    ? program
    : offheapCommand("run", ...run, "--", ...program);
  return withChild(command, args, {}, use);
}

async function doctor(pid: number, ...options: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await runChild(
    offheapCommand("doctor", String(pid), ...options),
  );
  assert.deepEqual([status, stderr], [0, ""]);
  return stdout;
}

async function diagnosis(pid: number, ...options: readonly string[]): Promise<MemoryReport> {
  return (JSON.parse(await doctor(pid, "--json", ...options)) as { memory: MemoryReport }).memory;
}

test("growth of native memory is seen from outside by the agent's figures", once(), async () => {
  await Promise.all(
    ["jemalloc", "system"].map((allocator) =>
      withDisease("native leak", ["-a", allocator], async ({ pid }) => {
        const { verdict, parts, trends } = await diagnosis(pid, "--watch", "3s");
        assert.equal(verdict, "native growth", allocator);
        assert.ok((parts.allocatorLive ?? 0) > 0 && parts.javaScriptHeap === null);
        assert.equal(trends?.allocated?.shape, "rising");
      })
    ),
  );
});

test("a purge is tried from outside, and what came back is said", once(), async () => {
  // The agent would do it by itself after a rest.
  await withDisease("burst", ["-a", "system", "--idle-trim", "0"], async ({ pid, ask }) => {
    await ask('{"watch":0,"purge":false}');
    assert.equal((await diagnosis(pid)).verdict, "held back after a burst");
    const text = await doctor(pid, "--try", "purge");
    assert.match(text, /^purge: [12]\d\d\.\d MiB came back in \d/m);
    assert.match(text, /^verdict: held back after a burst \(95 % sure\)$/m);
    assert.match(text, /^next: it comes again with the next burst; `offheap run /m);
  });
});

test(
  "Bun is left alone by --attach, and lives",
  skipUnless(IS_GLIBC && runtimeInfo().name === "bun", "needs Bun"),
  async () => {
    await withDisease("healthy", null, async ({ pid, ask }) => {
      const { status, stderr } = await runChild(offheapCommand("doctor", String(pid), "--attach"));
      assert.equal(status, 1);
      assert.match(
        stderr,
        /^offheap: Cannot attach to process \d+: it runs Bun, which SIGUSR1 would/,
      );
      await ask("ready");
    });
  },
);

test(
  "without an agent what cannot be seen is named, and nothing is called healthy",
  once(),
  async () => {
    await withDisease("healthy", null, async ({ pid }) => {
      const text = await doctor(pid, "--try", "purge");
      assert.match(text, /^memory +bytes +share\nJavaScript heap +unknown +–\n/m);
      assert.match(text, /^code and files +\d/m);
      assert.match(text, /^purge: refused: Cannot ask the agent of process \d+/m);
      assert.match(text, /^verdict: cannot tell$/m);
      assert.match(text, /^next: start it by `offheap run -- .*`, whose agent says it$/m);
      assert.match(text, /^not seen: what glibc has given out: Cannot ask the agent/m);
    });
  },
);

test("options of the doctor that make no sense are refused", once(), async () => {
  for (
    const options of [["--watch", "60"], ["--watch", "x"], ["--watch", "0s"], ["--try", "magic"]]
  ) {
    const { status, stderr } = await runChild(offheapCommand("doctor", "1", ...options));
    assert.equal(status, 2, options.join(" "));
    assert.match(stderr, /error: .*\(offheap doctor --help lists the options\)/s);
  }
});
