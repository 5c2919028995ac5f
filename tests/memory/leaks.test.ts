import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { runtimeInfo } from "../../ffi/mod.ts";
import { LeakTracker } from "../../lib/memory/leaks.ts";
import { type AllocatorStatistics, type LeakReport, openAllocator } from "../../mod.ts";
import { bundleProgram, installedDirectory } from "../support/bundle.ts";
import { collectingCommand } from "../support/collecting.ts";
import {
  type ChildResult,
  FIXTURES,
  programOf,
  ROOT,
  runChild,
  runtimeCommand,
} from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

interface Printed {
  readonly reported: readonly LeakReport[];
  readonly before: AllocatorStatistics;
  readonly after: AllocatorStatistics;
  readonly views: readonly (readonly number[] | null)[];
  readonly results: readonly (readonly number[] | null)[];
  readonly closed: number;
}

function drop(...args: readonly string[]): Promise<ChildResult> {
  return runChild(collectingCommand(join(FIXTURES, "leaks.ts"), ...args), {
    variables: { OFFHEAP_LEAKS: undefined },
  });
}

async function dropAll(): Promise<Readonly<Record<string, Printed>>> {
  const { status, stdout, stderr } = await drop("hook");
  assert.equal(status, 0, stderr);
  assert.equal(stderr, "");
  return JSON.parse(stdout);
}

let all: ReturnType<typeof dropAll> | undefined;

/** What was seen of one way to drop memory: one process does all of them, each in an allocator of its own. */
async function dropped(kind: string, level = "all"): Promise<Printed> {
  const found = (await (all ??= dropAll()))[`${kind}:${level}`];
  assert.ok(found !== undefined, kind);
  return found;
}

test("a block that is dropped is freed, and reported once with its size and stack", async () => {
  const { reported, before, after } = await dropped("block");
  assert.equal(before.bytes, 1000);
  assert.deepEqual([after.blocks, after.bytes, after.leaks], [0, 0, 1]);
  assert.equal(reported.length, 1);
  const [leak] = reported;
  assert.deepEqual({ ...leak, stack: null }, {
    kind: "block",
    size: 1000,
    allocator: "jemalloc",
    noticed: "collected",
    stack: null,
  });
  assert.match(leak?.stack ?? "", /^at .*leaks\.[jt]s:\d+/, "the caller's own frame comes first");
  assert.match(leak?.stack ?? "", /drop/);
});

test("blocks that were freed or released are no leaks, and not reported", async () => {
  for (const kind of ["freed", "released"]) {
    const { reported, after } = await dropped(kind);
    assert.deepEqual(reported, [], kind);
    assert.equal(after.leaks, 0, kind);
  }
});

test("managed blocks are freed when they were dropped, and not reported", async () => {
  const { reported, before, after, closed } = await dropped("managed");
  assert.deepEqual([before.blocks, before.bytes], [30, 11_040]);
  assert.deepEqual([after.blocks, after.bytes, after.leaks], [0, 0, 0]);
  assert.deepEqual([reported, closed], [[], 0]);
});

test("a managed block stays while a view of it is used", async () => {
  const { reported, after, views, closed } = await dropped("managed view");
  assert.equal(after.bytes, 1000);
  assert.deepEqual(views[0], new Array(125).fill(0.5));
  assert.deepEqual([reported, closed], [[], 0]);
});

test("a managed block that is open when its allocator is closed is not reported", async () => {
  const { reported, after, closed } = await dropped("managed, open");
  assert.equal(after.blocks, 1);
  assert.deepEqual([reported, closed], [[], 0]);
});

test("a block that is dropped while a call uses it stays until the call has ended", async () => {
  const { results } = await dropped("hold");
  assert.deepEqual(results[0], [...new TextEncoder().encode("still there")]);
});

test("a block stays while a view of it is used", async () => {
  const { reported, after, views } = await dropped("view");
  assert.deepEqual(reported, []);
  assert.equal(after.bytes, 1000);
  assert.deepEqual(views[0], new Array(125).fill(0.5));
});

test("sampling reports some leaks, frees all, and says how many there were", async () => {
  const { reported, after } = await dropped("blocks", "sampled");
  assert.deepEqual([after.blocks, after.leaks], [0, 2560]);
  // 1 in 128 of 2,560: none at all happens once in 5 * 10^8 runs, and 80 or more never.
  assert.ok(reported.length > 0 && reported.length < 80, `${reported.length}`);
});

test("with leaks off nothing is reported, and all is freed", async () => {
  const { reported, after } = await dropped("blocks", "off");
  assert.deepEqual(reported, []);
  assert.deepEqual([after.blocks, after.leaks], [0, 2560]);
});

test("an arena that is dropped is freed with all its chunks, but not while a view is used", async () => {
  const gone = await dropped("arena");
  assert.deepEqual(gone.reported.map(({ kind, size }) => [kind, size]), [["arena", 65_536]]);
  assert.match(gone.reported[0]?.stack ?? "", /leaks\.[jt]s/);
  assert.equal(gone.after.bytes, 0);
  const kept = await dropped("arena view");
  assert.deepEqual(kept.reported, []);
  assert.equal(kept.after.bytes, 65_536);
  assert.equal(String.fromCharCode(...kept.views[0] ?? []), "still there");
});

test("a heap that is dropped is destroyed, but not while a view is used", async () => {
  const gone = await dropped("heaps");
  const counts = ["heap", "block"].map((of) =>
    gone.reported.filter(({ kind }) => kind === of).length
  );
  // Bun's collector may overlook one whose address is still somewhere on the stack.
  for (const count of counts) assert.ok(count >= 8 && count <= 10, `${counts}`);
  assert.equal(gone.after.bytes, 1000 * (10 - (counts[1] ?? 0)));
  const kept = await dropped("heap view");
  assert.deepEqual(kept.reported, []);
  assert.equal(kept.after.bytes, 11);
  assert.equal(String.fromCharCode(...kept.views[0] ?? []), "still there");
});

test("a lease that is dropped makes room in its pool for who waits", async () => {
  const { reported, after } = await dropped("pool");
  assert.deepEqual(reported.map(({ kind, size }) => [kind, size]), [["pool block", 1000]]);
  assert.equal(after.blocks, 1, "the block of the one that waited");
});

test("an allocator that is dropped with cached memory does no harm", async () => {
  assert.deepEqual((await dropped("cached")).reported, []);
});

test("without a hook a leak is a process warning with all that is known", async () => {
  const { status, stderr } = await drop("warn", "block:all", "blocks:off");
  assert.equal(status, 0);
  assert.match(stderr, /OffheapLeak: A block of 1000 bytes was not freed\. It was allocated/);
  assert.match(stderr, /leaks\.[jt]s:\d+/);
  assert.match(stderr, /OFFHEAP_LEAKS=all shows each/);
  assert.equal(stderr.split("OffheapLeak").length, 2, "once, and nothing where leaks are off");
});

/** What is reported of each way to allocate, by who called. */
const CALLERS: Readonly<Record<string, string>> = {
  "block 1": "byAllocate",
  "block 2": "byAllocateFrom",
  "block 5": "byBlockFrom",
  "block 6": "byAdopt",
  "block 7": "byClaim",
  "arena 65536": "byArena",
  "pool block 64": "byAcquire",
  "pool block 65": "byWait",
  "heap 0": "byHeap",
};

async function assertCallers(script: string): Promise<void> {
  const { status, stdout, stderr } = await runChild(runtimeCommand(script));
  assert.equal(status, 0, stderr);
  const reported = Object.fromEntries(
    stdout.trimEnd().split("\n").map((line) => {
      const [what = "", frame = ""] = line.split(/: (.*)/);
      return [what, /^at (?:async )?(\w+)/.exec(frame)?.[1] ?? frame];
    }),
  );
  assert.deepEqual(reported, CALLERS);
}

test("a leak's stack begins with who called, in a file of any name and in a bundle", async () => {
  const source = readFileSync(join(FIXTURES, "leak-stacks.ts"), "utf8");
  const directory = join(installedDirectory(), "lib", "memory");
  mkdirSync(directory, { recursive: true });
  const script = join(directory, "leak-stacks.ts");
  writeFileSync(script, source.replace("../../mod.ts", programOf(join(ROOT, "mod.ts"))));
  await assertCallers(script);
  const bundle = join(directory, "bundle.mjs");
  bundleProgram(join(FIXTURES, "leak-stacks.ts"), bundle, [
    "--minify-syntax",
    "--minify-whitespace",
  ]);
  await assertCallers(bundle);
});

test("what is open when an allocator is closed is listed, reported, and ended", () => {
  const reported: LeakReport[] = [];
  const memory = openAllocator({ leaks: "all", onLeak: (leak) => reported.push(leak) });
  const [freed, block] = [memory.allocate(1), memory.allocate(10)];
  freed.free();
  const arena = memory.arena();
  const view = arena.allocate(5);
  const open = memory.close();
  assert.deepEqual(reported, open);
  assert.deepEqual(open.map(({ kind, size, noticed }) => [kind, size, noticed]), [
    ["arena", 65_536, "closed"],
    ["block", 10, "closed"],
  ]);
  for (const { stack } of open) assert.match(stack ?? "", /memory\/leaks\.test\.[jt]s/);
  assert.equal(block.bytes.length + view.length, 0);
  assert.throws(() => block.free(), { name: "BlockError", reason: "freed" });
});

test("the level comes from the variable where the program does not say, and is checked", () => {
  const { OFFHEAP_LEAKS: before } = process.env;
  const isRecorded = (level: string): boolean => {
    process.env.OFFHEAP_LEAKS = level;
    const memory = openAllocator({ onLeak: () => {} });
    memory.allocate(10);
    return memory.close()[0]?.stack !== null;
  };
  try {
    assert.ok(isRecorded("all"));
    assert.ok(!isRecorded("off"));
    assert.throws(() => isRecorded("loud"), {
      name: "RangeError",
      message:
        "Cannot open an allocator: OFFHEAP_LEAKS must be one of off, sampled, all; got 'loud'",
    });
  } finally {
    if (before === undefined) delete process.env.OFFHEAP_LEAKS;
    else process.env.OFFHEAP_LEAKS = before;
  }
  assert.throws(() => openAllocator({ leaks: "loud" as "all" }), RangeError);
  assert.throws(() => openAllocator({ onLeak: 5 } as never), TypeError);
});

test("what was open at the end is reported with its article, and with how to learn where it began", async () => {
  const tracker = new LeakTracker("jemalloc", "sampled", undefined);
  const warned = new Promise<Error>((resolve) =>
    // Runtimes warn of what is experimental, too.
    process.on("warning", (warning) => warning.name === "OffheapLeak" && resolve(warning))
  );
  tracker.closed([tracker.describe({ kind: "arena", size: 64, trace: null }, "closed")]);
  const { message } = await warned;
  assert.match(
    message,
    /detached:\n {2}An arena of 64 bytes was not freed\.\nOFFHEAP_LEAKS=all shows where each was allocated\.$/,
  );
});

test(
  "a hook that is called while an allocator closes cannot close it again",
  skipUnless(
    runtimeInfo().name === "node",
    "only in Node is it certain that what was collected is not reported before",
  ),
  async () => {
    const { stdout, stderr } = await runChild(
      collectingCommand(join(FIXTURES, "nested-close.ts")),
      { variables: { OFFHEAP_LEAKS: undefined } },
    );
    const lines = ["is being closed", "was closed"].map((state) =>
      `ClosedError: Cannot close an allocator: this jemalloc allocator ${state}.\n`
    );
    assert.deepEqual([stdout, stderr], [lines.join(""), ""]);
  },
);
