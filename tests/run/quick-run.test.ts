import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { readRun } from "../../lib/cli/quick-run.ts";
import { type ChildResult, offheapCommand, runChild } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

test("plain words of run are read without the whole command line", () => {
  const rows: readonly (readonly [string, object])[] = [
    ["-- node a.js -x", { command: ["node", "a.js", "-x"] }],
    ["node -- a.js", { command: ["node", "--", "a.js"] }],
    ["-a mimalloc -p low-memory -- true", {
      allocator: "mimalloc",
      profile: "low-memory",
      command: ["true"],
    }],
    ["--allocator auto --no-inherit --secure true", {
      allocator: "auto",
      inherit: false,
      secure: true,
      command: ["true"],
    }],
    ["--no-inherit --inherit true --secure", { inherit: true, command: ["true", "--secure"] }],
    ["-- --help", { command: ["--help"] }],
  ];
  for (const [words, options] of rows) assert.deepEqual(readRun(words.split(" ")), options, words);
});

test("what needs help, advice or a refusal is left to the whole command line", () => {
  const rows = [
    "",
    "--",
    "--help",
    "-h",
    "-a",
    "-a jemaloc -- true",
    "--profile fast -- true",
    "--allocator=jemalloc -- true",
    "-ajemalloc -- true",
    "--unknown -- true",
    "-a jemalloc --",
    "--library /lib/x.so -- true",
    "- true",
  ];
  for (const words of rows) {
    assert.equal(readRun(words.split(" ").filter((word) => word !== "")), null, words);
  }
});

function outcome(...words: string[]): Promise<ChildResult> {
  return runChild(offheapCommand(...words));
}

test(
  "both ways end alike",
  skipUnless(process.platform === "linux", "it is about LD_PRELOAD"),
  async () => {
    const rows: readonly (readonly [readonly string[], readonly string[]])[] = [
      [["-a", "jemalloc"], ["--allocator=jemalloc"]],
      [["-p", "throughput"], ["--profile=throughput"]],
      [["--no-inherit"], ["--no-inherit", "-aauto"]],
    ];
    const script = 'echo "$LD_PRELOAD|$MALLOC_CONF|${OFFHEAP_RESTORE+set}"';
    for (const [quick, whole] of rows) {
      assert.notEqual(readRun([...quick, "true"]), null);
      assert.equal(readRun([...whole, "true"]), null);
      const [one, other] = await Promise.all(
        [quick, whole].map((words) => outcome("run", ...words, "--", "sh", "-c", script)),
      );
      assert.equal(one?.status, 0);
      assert.equal(one.stdout.includes("liboffheap"), !quick.includes("--no-inherit"));
      assert.deepEqual(one, other);
    }
    const missing = ["--", "no-such-command"];
    const [one, other] = await Promise.all(
      [missing, ["-aauto", ...missing]].map((words) => outcome("run", ...words)),
    );
    assert.deepEqual(one, other);
    assert.equal(one?.status, 127);
  },
);
