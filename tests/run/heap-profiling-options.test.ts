/** The options of heap profiling, who is refused, and what the agent does. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { checkHeapProfiling } from "../../lib/run/heap-profiling.ts";
import { launchEnvironment, type LaunchOptions } from "../../lib/run/plan.ts";
import { askAgent } from "../../lib/watch/agent/client.ts";
import { compileProgram, temporaryDirectory } from "../support/compile.ts";
import { readDump, takeDump } from "../support/heap-dump.ts";
import {
  duringSampling,
  HAS_UNWINDER as able,
  launched,
  WITH_UNWINDER as here,
} from "../support/sampled.ts";
import { builtLibrary, type ChildResult, offheapCommand, runChild } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

test("the options become jemalloc's, the shim's and the runtimes' own", here, () => {
  const of = (options: LaunchOptions): Record<string, string> => {
    const found = launchEnvironment({ allocator: "jemalloc", ...options });
    return { ...found, conf: (found.MALLOC_CONF ?? "").replace(/^.*(?=prof:)/, "") };
  };
  const prepared = of({ heapProfiling: true });
  assert.equal(prepared.conf, "prof:true,prof_active:false,lg_prof_sample:19");
  assert.equal(prepared.OFFHEAP_HEAP_PROFILING, "runtimes:map");
  const flags = ["--perf-basic-prof", "--interpreted-frames-native-stack"];
  assert.equal(prepared.NODE_OPTIONS, flags.join(" "));
  assert.equal(prepared.DENO_V8_FLAGS, flags.join(","));
  const active = of({ heapProfiling: 65_536, active: true });
  assert.equal(active.conf, "prof:true,prof_active:true,lg_prof_sample:16");
  const without = launchEnvironment({ allocator: "jemalloc", heapProfiling: false });
  for (const name of ["OFFHEAP_HEAP_PROFILING", "NODE_OPTIONS", "DENO_V8_FLAGS"]) {
    assert.equal(without[name], undefined, name);
  }
});

test("what the user has set is kept, by a launch in a launch, too", here, async () => {
  const env = offheapCommand("env", "-a", "jemalloc", "--heap-profiling=1MiB", "-f", "json");
  const variables = {
    NODE_OPTIONS: "--max-old-space-size=500",
    DENO_V8_FLAGS: "--expose-gc",
    MALLOC_CONF: "lg_prof_sample:12",
  };
  const once = await runChild(env, { variables });
  const found = JSON.parse(once.stdout);
  assert.match(found.NODE_OPTIONS, /^--perf-basic-prof \S+ --max-old-space-size=500$/);
  assert.match(found.DENO_V8_FLAGS, /^--perf-basic-prof,\S+,--expose-gc$/);
  assert.match(found.MALLOC_CONF, /,prof:true,prof_active:false,lg_prof_sample:12$/);
  assert.equal(once.stderr, "offheap: your own settings are kept: MALLOC_CONF:lg_prof_sample\n");
  const again = await runChild(env, { variables: { ...variables, ...found } });
  assert.deepEqual(JSON.parse(again.stdout), found);
  const plain = offheapCommand("env", "-a", "jemalloc", "-f", "json");
  const { NODE_OPTIONS, ...rest } = JSON.parse(
    (await runChild(plain, { variables: { ...variables, ...found } })).stdout,
  );
  assert.deepEqual([NODE_OPTIONS, rest.OFFHEAP_HEAP_PROFILING], [undefined, undefined]);
  const own = { NODE_OPTIONS: "--perf-basic-prof" };
  // Where the runtime that prints this may log, too.
  const cwd = temporaryDirectory();
  const asked = JSON.parse((await runChild(env, { variables: own, cwd })).stdout);
  assert.equal(asked.OFFHEAP_HEAP_PROFILING, "runtimes:", "the map is the user's");
});

test("a bad interval, and options that contradict, are refused", here, async () => {
  for (const heapProfiling of [1000, 512, 2 ** 31, NaN, -1024, 0]) {
    assert.throws(() => launchEnvironment({ allocator: "jemalloc", heapProfiling }), {
      name: "RangeError",
      message: /heapProfiling must be true, or a number of bytes that is a power of two/,
    });
  }
  assert.throws(() => launchEnvironment({ heapProfiling: "512KiB" as unknown as number }), {
    name: "TypeError",
  });
  assert.throws(() => launchEnvironment({ allocator: "jemalloc", active: true }), {
    name: "LaunchError",
    message: /active \(--active\) is for heapProfiling \(--heap-profiling\), which is left out/,
  });
  for (const word of ["--heap-profiling=500KiB", "--heap-profiling=1", "--heap-profiling="]) {
    const { status, stderr } = await runChild(offheapCommand("run", word, "--", "true"));
    assert.equal(status, 125, word);
    assert.match(stderr, /It must be a power of two from 1KiB to 1GiB, such as 512KiB/, word);
  }
  const eaten = await runChild(offheapCommand("run", "--heap-profiling", "true"));
  assert.equal(eaten.status, 125);
  assert.match(eaten.stderr, /Write -- before the command/);
});

const canMount = spawnSync("unshare", ["-rm", "true"]).status === 0;

test(
  "where no map of code can be written, nothing is prepared",
  skipUnless(
    able && canMount,
    "needs the unwinder and the right to make a mount namespace",
  ),
  async () => {
    const script = 'mount --rbind /tmp /tmp && mount -o remount,bind,ro /tmp && exec "$@"';
    for (const [command, ...words] of [["run", "--", "true"], ["env"]] as const) {
      const within = (...option: string[]): Promise<ChildResult> => {
        const offheap = offheapCommand(command, "-a", "jemalloc", ...option, ...words);
        return runChild(["unshare", "-rm", "sh", "-c", script, "sh", ...offheap]);
      };
      const { status, stderr } = await within("--heap-profiling");
      assert.equal(status, 125, command);
      assert.match(
        stderr,
        /write the names of their code into \/tmp, where this user may not write/,
      );
      assert.equal((await within()).status, 0, "without profiles nothing is written");
    }
  },
);

test("systems without the unwinder are refused, each by its name", () => {
  for (
    const [platform, arch, libc] of [
      ["linux", "x64", "musl"],
      ["linux", "riscv64", "glibc"],
      ["darwin", "arm64", null],
      ["freebsd", "x64", null],
    ] as const
  ) {
    const target = { name: "other", platform, arch, libc };
    assert.throws(() => checkHeapProfiling({ heapProfiling: true }, "jemalloc", target), {
      name: "LaunchError",
      message: new RegExp(
        `x64 and arm64; this is ${platform}, ${arch}${libc ? `, ${libc}` : ""}\\.`,
      ),
    });
    assert.equal(checkHeapProfiling({}, "jemalloc", target), null);
  }
});

test("allocators that do not sample are refused with the reason", async () => {
  for (const [allocator, why] of [["mimalloc", /before 3\.5\.4/], ["system", /do not sample/]]) {
    const command = offheapCommand("run", "-a", `${allocator}`, "--heap-profiling", "--", "true");
    const { status, stderr } = await runChild(command);
    assert.equal(status, 125);
    if (able) assert.match(stderr, why as RegExp);
    assert.match(stderr, able ? /Take jemalloc for the profile\.$/m : /Linux with glibc alone/);
  }
});

test("a jemalloc without profiling is refused before the start, or before main", here, async () => {
  const directory = temporaryDirectory();
  const library = join(directory, "libjemalloc.so");
  copyFileSync(builtLibrary("jemalloc", "preload"), library);
  const manifest = JSON.parse(readFileSync(`${builtLibrary("jemalloc", "preload")}.json`, "utf8"));
  const features = manifest.features.filter((feature: string) => feature !== "profiling");
  writeFileSync(`${library}.json`, JSON.stringify({ ...manifest, features }));
  const known = await runChild(
    launched(["--library", library, "--heap-profiling"], ["true"]),
  );
  assert.equal(known.status, 125);
  assert.match(known.stderr, /was built without profiling\. Take the one that comes with offheap/);
  const variables = { MALLOC_CONF: "prof:false" };
  const unknown = await runChild(launched(["--heap-profiling"], ["true"]), {
    variables,
  });
  assert.equal(unknown.status, 125);
  assert.match(
    unknown.stderr,
    /ended before its main: its jemalloc was built without profiling, or/,
  );
});

const WAIT = ["thread", "sleep", "300", "burst", "100", "say", "ready", "sleep", "60000"];

test("the agent starts, stops and forgets samples, and dumps what is live", here, async () => {
  const program = compileProgram("threads.c", "threads-profiling", ["-pthread", "-ldl"]);
  await duringSampling(launched(["--heap-profiling=4KiB"], [program, ...WAIT]), async (pid) => {
    const state = (await askAgent(pid, "profile")).profile;
    assert.deepEqual(state, { prepared: true, active: false, interval: 4096, refused: null });
    assert.deepEqual(readDump(await takeDump(pid)), [], "nothing was sampled so far");
    assert.equal((await askAgent(pid, "profile start")).profile.active, true);
    assert.equal((await askAgent(pid, "profile stop")).profile.active, false);
    const wrong = await askAgent(pid, "profile x" as "profile");
    assert.match(wrong.profile.refused ?? "", /takes start, stop, reset and dump/);
  });
  const words = ["--heap-profiling=4KiB", "--active"];
  await duringSampling(launched(words, [program, ...WAIT]), async (pid) => {
    const text = await takeDump(pid);
    assert.match(text, /^heap_v2\/4096\n/);
    assert.match(text, /^MAPPED_LIBRARIES:\n.*^[0-9a-f]+-[0-9a-f]+ r.*\.so/ms);
    const stacks = readDump(text);
    assert.ok(stacks.some(({ frames }) => frames.length > 3), "with the caller's callers");
    const { dump } = await askAgent(pid, "profile dump");
    assert.equal(statSync(dump ?? "").mode & 0o777, 0o600);
    assert.equal((await askAgent(pid, "profile reset")).profile.refused, null);
    assert.deepEqual(readDump(await takeDump(pid)), []);
  });
});

test("without profiling the agent says what to do", here, async () => {
  const program = compileProgram("threads.c", "threads-profiling", ["-pthread", "-ldl"]);
  await duringSampling(launched([], [program, ...WAIT]), async (pid) => {
    const { dump, refused, profile } = await askAgent(pid, "profile dump");
    assert.deepEqual([dump, profile.prepared, profile.interval], [null, false, null]);
    assert.match(refused ?? "", /start the program by "offheap run --heap-profiling"/);
  });
});

test("children are sampled where they are JavaScript runtimes", here, async () => {
  const program = compileProgram("threads.c", "threads-profiling", ["-pthread", "-ldl"]);
  const runtime = join(temporaryDirectory(), "node-26");
  copyFileSync(program, runtime);
  const script = '"$0" sampled; "$1" sampled; exec "$0" sampled';
  const command = launched(["--heap-profiling", "--active"], [
    "sh",
    "-c",
    script,
    program,
    runtime,
  ]);
  const { stdout, stderr } = await runChild(command);
  assert.deepEqual([stdout, stderr], ["not sampled\nsampled\nsampled\n", ""]);
});
