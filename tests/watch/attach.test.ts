import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { runtimeInfo } from "../../ffi/mod.ts";
import { DoctorError } from "../../lib/errors.ts";
import { attachHeap } from "../../lib/watch/doctor/attach/attach.ts";
import type { MemoryReport } from "../../lib/watch/doctor/memory/types.ts";
import { listeningPorts, openSession } from "../../lib/watch/doctor/attach/inspector.ts";
import { findRuntimes, parseRuntimeNames } from "../../tools/runtimes.ts";
import { type AnsweringChild, withChild } from "../support/child.ts";
import { compileShared, temporaryDirectory } from "../support/compile.ts";
import { effort, onceAPush } from "../support/effort.ts";
import {
  FIXTURES,
  offheapCommand,
  runChild,
  runtimeCommand,
  sourceCommand,
} from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const IS_LINUX = process.platform === "linux";
const linux = () => skipUnless(IS_LINUX, "the doctor reads /proc as Linux has it");
const inspected = () =>
  skipUnless(IS_LINUX && runtimeInfo().name !== "bun", "Bun opens no inspector by a signal");

const script = join(temporaryDirectory(), "holds-buffers.mjs");
writeFileSync(
  script,
  `import process from "node:process";
globalThis.kept = Array.from({ length: 64 }, () => new Uint8Array(1 << 20).fill(1));
process.stdin.on("data", (data) => process.stdout.write(data));
`,
);

/** Whether a process still answers. */
async function assertLives({ ask }: AnsweringChild): Promise<void> {
  await ask("still here");
}

test(
  "the heap of a running program is read by its inspector, which is closed again",
  inspected(),
  async () => {
    const [command, ...args] = sourceCommand(script);
    await withChild(command, args, {}, async (child) => {
      const heap = await attachHeap(child.pid);
      assert.equal(listeningPorts(child.pid).size, 1, "it is open");
      for (let time = 0; time < 2; time++) {
        const { external, used, total, absent } = await heap.read();
        assert.ok((external ?? 0) >= 64 << 20, String(external));
        assert.ok((used ?? 0) > 1 << 20 && (total ?? 0) >= (used ?? 0), String(used));
        assert.ok("limit" in absent, "an inspector does not report it");
      }
      await heap.close();
      assert.deepEqual(listeningPorts(child.pid), new Set(), "and closed");
      await assertLives(child);
      const again = await attachHeap(child.pid);
      await again.close();
      await assertLives(child);
    });
  },
);

test(
  "sessions are ended by the inspector, as one that is ended from both sides ends Node",
  inspected(),
  async () => {
    const [command, ...args] = sourceCommand(script);
    for (let time = 0; time < effort(1, 30); time++) {
      await withChild(command, args, {}, async (child) => {
        const heap = await attachHeap(child.pid);
        const [port = 0] = listeningPorts(child.pid);
        const session = await openSession(port);
        const ended = session.ended();
        assert.equal(await session.evaluate("6 * 7"), 42, "it was not ended from here");
        await Promise.all([heap.close(), ended]);
        await assertLives(child);
      });
    }
  },
);

/** It closes before its own answer is sent, as a busy machine can have it with one that waits a moment. */
const CLOSE_AT_ONCE = 'process.getBuiltinModule("node:inspector").close()';

test("an inspector that closes before it answers has closed", inspected(), async () => {
  const [command, ...args] = sourceCommand(script);
  await withChild(command, args, {}, async (child) => {
    const heap = await attachHeap(child.pid);
    const session = await openSession([...listeningPorts(child.pid)][0] ?? 0);
    await session.evaluateLast(CLOSE_AT_ONCE);
    await session.ended();
    await assert.rejects(session.evaluate("6 * 7"), /^RangeError: ended the session$/);
    await assert.rejects(heap.read(), (error: unknown) => {
      assert.ok(error instanceof DoctorError, String(error));
      assert.match(error.message, /its inspector, on port \d+, ended the session\.$/);
      return true;
    });
    await assertLives(child);
  });
});

// Here, as no file runs twice at a time, and all open their inspector at one port.
test(
  "offheap doctor --attach sees the JavaScript heap grow, and closes the inspector again",
  onceAPush("the command attaches as the function does", inspected()),
  async () => {
    const library = compileShared("diseases.c", "libdiseases-attach.so");
    const program = runtimeCommand(join(FIXTURES, "diseases.ts"), "JavaScript leak", library);
    const [command, ...args] = program;
    await withChild(command, args, {}, async ({ pid, ask }) => {
      const words = ["doctor", `${pid}`, "--json", "--watch", "8s", "--attach"];
      const { status, stdout, stderr } = await runChild(offheapCommand(...words));
      assert.deepEqual([status, stderr], [0, ""]);
      const { memory: { verdict, parts } } = JSON.parse(stdout) as { memory: MemoryReport };
      assert.equal(verdict, "JavaScript heap growth");
      assert.ok((parts.javaScriptHeap ?? 0) > 2 ** 20);
      assert.deepEqual(listeningPorts(pid), new Set());
      await ask("ready");
    });
  },
);

const [BUN] = (await findRuntimes(parseRuntimeNames(["bun"]))).found;

test(
  "Bun, which the signal would end, is refused and lives",
  skipUnless(IS_LINUX && BUN !== undefined, "needs Linux and Bun"),
  async () => {
    await withChild(BUN?.binary ?? "", [script], {}, async (child) => {
      await assert.rejects(attachHeap(child.pid), (error: unknown) => {
        assert.ok(error instanceof DoctorError, String(error));
        assert.match(
          error.message,
          /Cannot attach to process \d+: it runs Bun, which SIGUSR1 would/,
        );
        return true;
      });
      await assertLives(child);
    });
  },
);

test("a program that is no JavaScript runtime is refused and lives", linux(), async () => {
  await withChild("cat", [], {}, async (child) => {
    await assert.rejects(attachHeap(child.pid), /it runs no JavaScript runtime that offheap knows/);
    await assertLives(child);
  });
});

test(
  "a Node that was told not to handle the signal is refused and lives",
  skipUnless(IS_LINUX && runtimeInfo().name === "node", "only Node has --disable-sigusr1"),
  async () => {
    await withChild(process.execPath, ["--disable-sigusr1", script], {}, async (child) => {
      await assert.rejects(attachHeap(child.pid), /it does not handle SIGUSR1, which would end it/);
      await assertLives(child);
    });
  },
);
