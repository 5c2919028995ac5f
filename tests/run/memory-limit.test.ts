/**
 * A program in a control group with a limit: one that the kernel kills under glibc, since freed memory
 * was not given back, lives under `offheap run`.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { askAgent } from "../../lib/watch/agent/client.ts";
import { readCgroupMemory } from "../../lib/watch/info/cgroup.ts";
import { compileProgram, temporaryDirectory } from "../support/compile.ts";
import { type ChildResult, offheapCommand, runChild } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const LIMIT = 96 * 2 ** 20;
const FILES = { 1: "memory.limit_in_bytes", 2: "memory.max" } as const;

/** A control group with the limit, or why this machine's user cannot make one. */
function makeGroup(): string | Error {
  try {
    const own = process.platform === "linux" ? readCgroupMemory() : null;
    if (own === null) return new Error("no control group counts memory here");
    // In version 2 a group that has processes passes no limit on: beside it.
    const parent = own.version === 1 ? own.path : dirname(own.path);
    const directory = join(parent, `offheap-test-${process.pid}`);
    mkdirSync(directory);
    process.once("exit", () => rmdirSync(directory));
    writeFileSync(join(directory, FILES[own.version]), String(LIMIT));
    return directory;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

const group = makeGroup();
const skip = skipUnless(
  typeof group === "string",
  group instanceof Error ? `no control group can be made here: ${group.message}` : "",
);

function within(command: readonly string[]): [string, ...string[]] {
  return ["sh", "-c", `echo $$ > '${group}/cgroup.procs' && exec "$@"`, "sh", ...command];
}

/** A command in the control group. */
function limited(command: readonly string[]): Promise<ChildResult> {
  return runChild(within(command));
}

/** 60 MiB are allocated and freed, and then 60 MiB are mapped: of both there is room for one only. */
function program(pause: string): string[] {
  const file = compileProgram("threads.c", "threads-limit", ["-pthread", "-ldl"]);
  return [file, "thread", "burst", "60", "sleep", "2500", "map", "60", pause, "say", "alive"];
}

test(
  "without offheap the program is killed, or there is nothing to compare with",
  skip,
  async () => {
    const { signal, stdout } = await limited(program("0"));
    assert.deepEqual([signal, stdout], ["SIGKILL", ""]);
  },
);

test("it lives under run: memory is given back at rest", skip, async () => {
  for (const allocator of ["system", "jemalloc"]) {
    const { stdout, stderr } = await limited(
      offheapCommand("run", "-a", allocator, "--", ...program("0")),
    );
    assert.equal(stdout, "alive\n", stderr);
  }
});

test(
  "it lives under run: memory is given back near the limit, where it never is at rest",
  skip,
  async () => {
    const options = ["-a", "system", "--idle-trim", "0"];
    const { stdout, stderr } = await limited(
      offheapCommand("run", ...options, "--", ...program("60")),
    );
    assert.equal(stdout, "alive\n", stderr);
    const without = ["-a", "system", "--no-agent"];
    const { signal } = await limited(offheapCommand("run", ...without, "--", ...program("60")));
    assert.equal(signal, "SIGKILL", "without the agent it would live, too");
  },
);

test("files that the kernel can drop are no shortness, however many it keeps", skip, async () => {
  const file = join(temporaryDirectory(), "file");
  const threads = compileProgram("threads.c", "threads-limit", ["-pthread", "-ldl"]);
  const script = 'dd if=/dev/zero of="$0" bs=1M count=92 conv=fsync && exec "$@"';
  const words = ["sh", "-c", script, file, threads, "thread", "say", "ready", "sleep", "10000"];
  const command = offheapCommand("run", "-a", "system", "--idle-trim", "0", "--", ...words);
  const [shell = "", ...rest] = within(command);
  const child = spawn(shell, rest, { stdio: ["ignore", "pipe", "ignore"] });
  const ended = once(child, "close");
  try {
    await once(child.stdout, "data");
    // Several looks of the agent's, of which none may find memory short.
    await setTimeout(1000);
    const { usage = 0 } = readCgroupMemory({ pid: child.pid }) ?? {};
    assert.ok((usage ?? 0) > 0.9 * LIMIT, `${usage} bytes are used`);
    assert.equal((await askAgent(child.pid ?? 0, "stats")).pressures, 0);
  } finally {
    child.kill("SIGKILL");
    await ended;
  }
});
