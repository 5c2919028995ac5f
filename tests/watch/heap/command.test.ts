/**
 * `offheap heap`: what it prints and writes, and what it refuses.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { runtimeInfo } from "../../../ffi/mod.ts";
import { hostTarget } from "../../../lib/library/target.ts";
import { directory, heap, PREPARED, refusedHeap, withHolder } from "../../support/profiled.ts";
import { childEnvironment, offheapCommand, runChild } from "../../support/runtime.ts";
import { skipUnless } from "../../support/skip.ts";

const { platform, libc } = hostTarget();
const here = skipUnless(
  platform === "linux" && libc === "glibc",
  "heap profiling is for Linux with glibc",
);
const named = runtimeInfo().name !== "bun";
// Bun's Buffers are in an allocator of its own.
const leaking = named ? "leak buffers" : "leak blocks jemalloc";
const leaker = named ? /leakBuffers/ : /without a function of the program/;

test(
  "samples of a time, in a table, a file, a page and JSON; two files are compared",
  here,
  async () => {
    await withHolder(PREPARED, async (child) => {
      const pid = String(child.pid);
      const [a, b] = [join(directory, "a.pb.gz"), join(directory, "b.pb.gz")];
      const waiting = heap("--pid", pid, "--seconds", "6", "-o", a, "--top");
      const leaked = child.ask(leaking);
      const text = await waiting;
      await leaked;
      assert.match(text, /^\+?-?[\d.]+ [KMG]?i?B of native memory in process \d+ within \d\.\d s/);
      assert.match(
        await refusedHeap("--pid", pid),
        /nothing is sampled yet\. Say for how long to sample \(--seconds 30\)/,
        "it ended with the time",
      );
      assert.match(await heap("--pid", pid, "--start"), /is sampled from now on/);
      await child.ask(`${leaking} again`);
      const page = join(directory, "page.html");
      const said = await heap("--pid", pid, "-o", b, "--html", page);
      assert.match(said, /^Written: .*b\.pb\.gz\nWritten: .*page\.html$/m);
      assert.match(readFileSync(page, "utf8"), /^<!doctype html>[^]*id="profile">\{/);
      assert.match(await heap("--pid", pid, "--stop"), /is not sampled any more/);
      const json = JSON.parse(await heap(b, "--json"));
      assert.equal(json.interval, 65536);
      if (named) {
        assert.ok(json.javaScriptShare > 0.95 && json.bytes > 20 * 2 ** 20, JSON.stringify(json));
        assert.match(await heap("diff", a, b), /leakBuffers/);
      }
      assert.match(await heap(b), leaker);
      const one = await heap(b, "--runtime", "--rows", "1");
      assert.match(one, /\[runtime\] (?:(?:je_)?[cm]alloc|liboffheap\.so)/);
      assert.match(one, /^… and \d+ more functions \(--rows \d+\)$/m);
    });
  },
);

test(
  "a profile is taken each time a process has grown, and the latest are kept",
  here,
  async () => {
    await withHolder(["--heap-profiling=64KiB", "--active"], async (child) => {
      const place = join(directory, "grown");
      const [command, ...args] = offheapCommand(
        ...["heap", "--pid", String(child.pid), "--at-growth", "15MiB", "--directory", place],
        ...["--keep", "2"],
      );
      const watcher = spawn(command, args, {
        env: childEnvironment(),
        stdio: ["ignore", "pipe", "inherit"],
      });
      let printed = "";
      let leaked: Promise<void> | null = null;
      const grown = new Promise<void>((resolve) =>
        watcher.stdout.setEncoding("utf8").on("data", (text: string) => {
          printed += text;
          if (printed.trim().split("\n").length > 1) resolve();
          else leaked ??= child.ask("leak blocks jemalloc");
        })
      );
      await Promise.race([grown, once(watcher, "exit")]);
      watcher.kill("SIGKILL");
      await leaked;
      assert.match(printed, /^[\d.]+ MiB resident: .*\.pb\.gz\n[\d.]+ MiB resident: .*\.pb\.gz\n/);
      const names = readdirSync(place).filter((name) => name.endsWith(".pb.gz"));
      assert.ok(names.length === 2, names.join());
      const files = names.sort().map((name) => join(place, name));
      assert.match(await heap("diff", ...files), /^\+[\d.]+ MiB of native memory .* within/);
    });
  },
);

test(
  "a process that cannot be profiled is refused with the reason, and what to do",
  here,
  async () => {
    const answering = ["node", "-e", "process.stdin.pipe(process.stdout)"];
    await withHolder(["-a", "jemalloc"], async ({ pid }) => {
      const text = await refusedHeap("--pid", String(pid));
      assert.match(
        text,
        /jemalloc was started without profiling: start the program by "offheap run/,
      );
    }, answering);
    await withHolder(["-a", "mimalloc"], async ({ pid }) => {
      assert.match(await refusedHeap("--pid", String(pid)), /run the program with jemalloc/);
    }, answering);
    assert.match(
      await refusedHeap("--pid", String(process.pid)),
      /Cannot ask the agent of process/,
    );
  },
);

test("files that are no profiles, and words that make no sense, are refused", async () => {
  const file = join(directory, "none.pb.gz");
  writeFileSync(file, "no profile");
  assert.match(await refusedHeap(file), /Cannot read the heap profile in ".*none\.pb\.gz"/);
  const missing = join(directory, "missing");
  const sentence =
    /^offheap: Cannot read the heap profile in ".*missing": .*(no such file|ENOENT)/i;
  assert.match(await refusedHeap(missing), sentence);
  assert.match(await refusedHeap("4711"), /A process is named by --pid 4711\.$/m);
  for (
    const words of [[], ["diff", file], [file, file], ["--pid", "1", file], ["--seconds", "x"]]
  ) {
    const { status, stderr } = await runChild(offheapCommand("heap", ...words));
    assert.equal(status, 2, `${words}: ${stderr}`);
    assert.match(stderr, /^error: /);
  }
});

test("what would be left out in silence is refused", async () => {
  const wanted = [
    ["--pid", "1", "--start", "-o", "x"],
    ["--pid", "1", "--stop", "--html", "x"],
    ["--pid", "1", "--start", "--at-growth", "1MiB"],
    ["--pid", "1", "--at-growth", "1MiB", "--top"],
    ["a.pb.gz", "--seconds", "3"],
    ["diff", "a.pb.gz", "b.pb.gz", "--start"],
  ];
  for (const words of wanted) {
    const { status, stderr } = await runChild(offheapCommand("heap", ...words));
    assert.equal(status, 2, `${words}: ${stderr}`);
    assert.match(stderr, /cannot be used with|is about a process: name it by --pid/);
  }
});
