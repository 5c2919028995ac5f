/**
 * Heap profiles that programs take of themselves.
 */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { runtimeInfo } from "../../../ffi/mod.ts";
import { hostTarget } from "../../../lib/library/target.ts";
import { decodeProfile } from "../../../lib/watch/heap/pprof-read.ts";
import { functionTable } from "../../../lib/watch/heap/table.ts";
import type { HeapSource } from "../../../lib/watch/heap/types.ts";
import { heapProfile, heapProfileHandler, keepHeapProfiles } from "../../../mod.ts";
import { onceInBun } from "../../support/effort.ts";
import { directory, heap } from "../../support/profiled.ts";
import { FIXTURES, offheapCommand, runChild, runtimeCommand } from "../../support/runtime.ts";
import { skipUnless } from "../../support/skip.ts";

const MIB = 2 ** 20;
const { platform, libc } = hostTarget();
const here = skipUnless(
  platform === "linux" && libc === "glibc",
  "heap profiling is for Linux with glibc",
);
const isBun = runtimeInfo().name === "bun";
/** The first test has what differs between runtimes: whose blocks, objects and names there are. */
const once = () => onceInBun("it is about the agent and files", here);

/** What the fixture prints, and the place of its profiles. */
async function runFixture(name: string, options: readonly string[], ...words: string[]) {
  const place = join(directory, name);
  mkdirSync(place);
  const program = runtimeCommand(join(FIXTURES, "heap-api.ts"), place, ...words);
  const { status, stdout, stderr } = await runChild(
    offheapCommand("run", ...options, "--", ...program),
  );
  assert.equal(status, 0, stdout + stderr);
  return { printed: JSON.parse(stdout.trim().split("\n").at(-1) ?? ""), place };
}

/** MiB under a function, by what a profile in a file says. */
async function under(file: string, name: string, ...sources: HeapSource[]): Promise<number> {
  const rows = functionTable(await decodeProfile(readFileSync(file), file), { sources });
  const own = rows.filter((row) => row.name.startsWith(`${name} `));
  return own.reduce((sum, { total }) => sum + total, 0) / MIB;
}

function isAbout(value: number, wanted: number, what: string): void {
  assert.ok(value > wanted * 0.8 && value < wanted * 1.25, `${what}: ${value}, not ${wanted} MiB`);
}

test("a program's profile has each block once, whichever library it is from", here, async () => {
  const { printed, place } = await runFixture("api", ["-a", "jemalloc", "--heap-profiling"]);
  assert.match(printed.refused, /^Cannot take a heap profile: nothing is sampled\. Call/);
  assert.match(printed.again, /^Cannot start a heap profile: one was started\./);
  assert.deepEqual([printed.active, printed.interval], [false, 65536]);
  const file = join(place, "api.pb.gz");
  // Of jemalloc's blocks malloc's stacks know who allocated them, where the runtime names its code.
  const [own, other] = isBun ? [0, 40] : [20, 20];
  isAbout(await under(file, "keepBlocks", "blocks"), other, "records");
  if (own > 0) isAbout(await under(file, "keepBlocks", "malloc"), own, "malloc");
  isAbout(await under(file, "keepBlocks", "malloc", "blocks"), 40, "both");
  if (isBun) {
    assert.match(printed.absent.javascript, /no sampling of objects/);
    return;
  }
  isAbout(await under(file, "keepBuffers", "malloc"), 20, "buffers");
  assert.ok(await under(file, "keepObjects", "javascript") > 3, "V8's objects");
  assert.ok(await under(file, "keepBuffers", "javascript") < 1, "and no buffers among them");
  assert.match(await heap("--objects", file), /keepObjects .*heap-api/);
});

test(
  "under another allocator a profile has offheap's own blocks, and the reason",
  once(),
  async () => {
    const { printed, place } = await runFixture("other", ["-a", "mimalloc"]);
    assert.match(printed.absent.malloc, /^mimalloc serves malloc in this process: /);
    const file = join(place, "api.pb.gz");
    isAbout(await under(file, "keepBlocks", "blocks"), 40, "records");
    const text = await heap("--top", file);
    assert.match(text, /^Without what malloc serves: mimalloc serves malloc/m);
    assert.match(text, /keepBlocks .*heap-api/);
    assert.doesNotMatch(text, /block-allocator/, "stacks begin with who asked for a block");
  },
);

test("profiles are served once something is sampled", once(), async () => {
  const { printed } = await runFixture("served", ["-a", "jemalloc", "--heap-profiling"], "served");
  const { before, after, later, bad, posted } = printed;
  assert.deepEqual([before[0], after[0], later[0], bad[0], posted], [403, 200, 200, 400, 405]);
  assert.ok(after[1] > 300 && later[1] > 100, JSON.stringify(printed));
});

test("profiles are taken at growth and on a signal, and the latest are kept", once(), async () => {
  const { printed, place } = await runFixture(
    "kept",
    ["-a", "jemalloc", "--heap-profiling"],
    "kept",
  );
  const { onSignal, atGrowth, again } = printed;
  assert.equal(onSignal.length, 1, JSON.stringify(printed));
  assert.deepEqual([atGrowth.length, atGrowth[0]], [2, onSignal[0]], JSON.stringify(printed));
  assert.equal(again.length, 2, "the oldest went");
  const names = readdirSync(place).sort();
  assert.deepEqual(names, again);
  for (const name of names) {
    const { samples } = await decodeProfile(readFileSync(join(place, name)), name);
    assert.ok(samples.length > 0);
  }
});

test("a process that was not prepared says so, and its handler forbids", async () => {
  const { status } = await heapProfileHandler(new Request("http://localhost/debug/pprof/heap"));
  assert.equal(status, 403);
  await assert.rejects(heapProfile.snapshot(), { code: "ERR_OFFHEAP_HEAP_PROFILE" });
  await assert.rejects(heapProfile.stop(), { code: "ERR_OFFHEAP_HEAP_PROFILE" });
});

test("what asks for a profile while one is taken asks for nothing new", async (t) => {
  const { promise, reject } = Promise.withResolvers<never>();
  const snapshot = t.mock.method(heapProfile, "snapshot", () => promise);
  const warned = Promise.withResolvers<string>();
  const onWarning = ({ name, message }: Error) => {
    if (name === "OffheapHeapProfile") warned.resolve(message);
  };
  process.on("warning", onWarning);
  const stop = keepHeapProfiles({ directory, atSignal: "SIGINT" });
  try {
    process.emit("SIGINT", "SIGINT");
    process.emit("SIGINT", "SIGINT");
    assert.equal(snapshot.mock.callCount(), 1);
    reject(new Error("nothing is sampled"));
    assert.equal(await warned.promise, "A heap profile was not taken: nothing is sampled");
    process.emit("SIGINT", "SIGINT");
    assert.equal(snapshot.mock.callCount(), 2, "afterwards another one is taken");
  } finally {
    stop();
    process.off("warning", onWarning);
  }
  process.emit("SIGINT", "SIGINT");
  assert.equal(snapshot.mock.callCount(), 2, "none is taken once it has ended");
});

test("options that are malformed are refused", async () => {
  for (const sampleInterval of [0, 1000, 2 ** 31, NaN]) {
    await assert.rejects(heapProfile.start({ sampleInterval }), RangeError);
  }
  // @ts-expect-error: a number
  await assert.rejects(heapProfile.start({ sampleInterval: "64KiB" }), TypeError);
  // @ts-expect-error: no such option
  await assert.rejects(heapProfile.start({ interval: 1024 }), TypeError);
  const refusal = { name: "TypeError", message: /a profile must be what snapshot\(\) gave; got / };
  for (const none of [undefined, null, 5, {}, Promise.resolve()] as never[]) {
    await assert.rejects(heapProfile.encode(none), refusal);
    await assert.rejects(heapProfile.difference(none, none), refusal);
  }
  const place = { directory: "/nonexistent" };
  assert.throws(() => keepHeapProfiles(place), TypeError);
  assert.throws(() => keepHeapProfiles({ ...place, atGrowth: 0 }), RangeError);
  assert.throws(() => keepHeapProfiles({ ...place, atSignal: "SIGUSR1" }), RangeError);
  assert.throws(() => keepHeapProfiles({ ...place, atGrowth: 1, keep: 1.5 }), RangeError);
});
