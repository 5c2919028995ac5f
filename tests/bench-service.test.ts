import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { quantileRankSorted } from "simple-statistics";
import { type Latency, type MemorySeries, WorkloadOutput } from "../bench/suite/format.ts";
import { callsAt } from "../bench/workloads/latency/calls.ts";
import { churn } from "../bench/workloads/latency/churn.ts";
import { latencyOf } from "../bench/workloads/latency/histogram.ts";
import { parseMallocInfo } from "../bench/workloads/service/allocator-usage.ts";
import { figuresOf } from "../bench/workloads/service/figures.ts";
import { openImages } from "../bench/workloads/service/images.ts";
import { PLANS } from "../bench/workloads/service/phases.ts";
import { pickKind, requestKinds } from "../bench/workloads/service/requests.ts";
import { lifetime, Sessions } from "../bench/workloads/service/sessions.ts";
import { seeded } from "../bench/workloads/support/random.ts";
import type { Address, RawAllocator } from "../mod.ts";
import { offheapCommand, ROOT, runChild, runtimeCommand } from "./support/runtime.ts";
import { skipUnless } from "./support/skip.ts";

const onLinux = skipUnless(process.platform === "linux", "the workloads read /proc");

type Options = Readonly<Record<string, string | number>>;

/** Runs a workload at the scale of tests, under an allocator, to its end. */
async function run(
  name: string,
  allocator: string,
  options: Options = {},
): Promise<WorkloadOutput> {
  const given = JSON.stringify({ scale: "test", seed: 7, options });
  const command = runtimeCommand(join(ROOT, "bench", "workloads", `${name}.ts`), given);
  const result = await runChild(offheapCommand("run", "-a", allocator, "--", ...command));
  assert.equal(result.status, 0, result.stderr);
  assert.equal(result.stderr, "");
  return WorkloadOutput.parse(JSON.parse(result.stdout.trimEnd().split("\n").at(-1) ?? ""));
}

function seriesOf({ memory }: WorkloadOutput): MemorySeries {
  assert.ok(memory !== undefined, "a series");
  return memory;
}

function gaps({ time }: MemorySeries): number[] {
  return time.slice(1).map((at, index) => at - (time[index] ?? NaN));
}

function assertSplit(series: MemorySeries): void {
  const { allocator = [], external, heap, held, live, resident, time } = series;
  for (const column of [allocator, external, heap, held, live, resident]) {
    assert.equal(column.length, time.length);
  }
  for (const [index, total] of resident.entries()) {
    assert.ok(total > 10e6, `${total} resident`);
    assert.ok((heap[index] ?? NaN) > 1e5, `${heap[index]} of heap`);
    assert.ok((heap[index] ?? NaN) + (external[index] ?? NaN) <= total, `sample ${index}`);
    if (live[index] === null) continue;
    assert.equal((live[index] ?? NaN) + (held[index] ?? NaN), allocator[index]);
    // An allocator counts what it has set aside; some of it may not have been touched.
    assert.ok((allocator[index] ?? NaN) <= total * 1.2, `${allocator[index]} of ${total}`);
  }
}

test(
  "the service is sampled every 100 ms, and its work is the same under each allocator",
  onLinux,
  async () => {
    const outputs = await Promise.all(
      ["system", "jemalloc", "mimalloc"].map((allocator) => run("service", allocator)),
    );
    for (const output of outputs) {
      const series = seriesOf(output);
      assertSplit(series);
      const each = gaps(series).sort((a, b) => a - b);
      assert.ok(series.time.length >= 15, `${series.time.length} samples`);
      const middle = each[each.length >> 1] ?? NaN;
      assert.ok(middle > 70 && middle < 150, `${middle} ms from one sample to the next`);
      assert.deepEqual(series.phases.map(({ name }) => name), [
        "start",
        "burst 1",
        "idle 1",
        "burst 2",
        "idle 2",
      ]);
      for (const key of ["peak", "plateau", "givenBack", "givenBackShare", "throughput"]) {
        assert.ok(key in output.metrics, key);
      }
    }
    const [system, jemalloc, mimalloc] = outputs;
    assert.equal(new Set(outputs.map(({ work }) => work)).size, 1);
    assert.deepEqual([jemalloc, mimalloc].map((output) => output?.servedBy.allocator), [
      "jemalloc",
      "mimalloc",
    ]);
    const [ofSystem, ofJemalloc, ofMimalloc] = [system, jemalloc, mimalloc].map((output) =>
      seriesOf(output as WorkloadOutput)
    );
    assert.ok(ofJemalloc?.live.every((bytes) => bytes !== null && bytes > 0));
    assert.ok(ofMimalloc?.live.every((bytes) => bytes === null));
    assert.ok(ofMimalloc?.allocator?.every((bytes) => bytes !== null && bytes > 0));
    if (system?.servedBy.allocator === "glibc") {
      assert.ok(ofSystem?.live.every((bytes) => bytes !== null && bytes > 0));
      assert.equal(ofSystem?.externalInLive, ofJemalloc?.externalInLive);
    }
    // Bun has an allocator of its own for buffers.
    assert.equal(ofJemalloc?.externalInLive, process.versions["bun"] === undefined);
  },
);

test(
  "the latency of each call is told for each count of threads, and the work repeats",
  onLinux,
  async () => {
    const options = { threads: "0,2", heap: "churned" };
    const [first, second, fresh] = await Promise.all([
      run("latency", "jemalloc", options),
      run("latency", "system", options),
      run("latency", "mimalloc", { threads: 1 }),
    ]);
    const titles = ["main thread", "2 threads"];
    const names = titles.flatMap((title) =>
      callsAt("test").map(({ name }) => `${name} · ${title} · churned 1 s`)
    );
    assert.deepEqual(Object.keys(first.latencies ?? {}), names);
    for (const [name, latency] of Object.entries(first.latencies ?? {})) {
      assertAscends(name, latency);
      const call = callsAt("test").find((each) => name.startsWith(`${each.name} ·`));
      assert.equal(
        latency.count,
        (call?.samples ?? 0) * (name.includes("2 threads") ? 2 : 1),
        name,
      );
    }
    assert.ok((first.metrics["throughput"]?.value ?? 0) > 0);
    assert.equal(second.work, first.work);
    assert.ok(
      Object.keys(fresh.latencies ?? {}).every((name) => name.endsWith("1 thread · fresh")),
    );
    assert.notEqual(fresh.work, first.work);
  },
);

function assertAscends(name: string, { max, mean, p50, p95, p99, p999 }: Latency): void {
  const values = [0, p50, p95, p99, p999, max];
  assert.deepEqual(values, values.toSorted((a, b) => a - b), name);
  assert.ok(mean > 0 && mean <= max, name);
}

test("the latency workload refuses options that it does not know", onLinux, async () => {
  const script = join(ROOT, "bench", "workloads", "latency.ts");
  for (
    const [options, message] of [
      [{ heap: "stale" }, /heap must be one of fresh, churned; got "stale"/],
      [{ threads: "1,,2" }, /threads must be a list such as "1,2,4"; got "1,,2"/],
    ] as const
  ) {
    const { status, stderr } = await runChild(
      runtimeCommand(script, JSON.stringify({ scale: "test", options })),
    );
    assert.notEqual(status, 0);
    assert.match(stderr, message);
  }
});

test("percentiles are those of the samples of all threads", () => {
  const random = seeded(3);
  const threads = [1, 2].map(() =>
    Float64Array.from({ length: 5000 }, () => 5 + 1e4 * random.next() ** 4)
  );
  const sorted = threads.flatMap((samples) => [...samples]).sort((a, b) => a - b);
  const latency = latencyOf(threads);
  assertAscends("random", latency);
  assert.equal(latency.count, sorted.length);
  for (
    const [value, share] of [[latency.p50, 0.5], [latency.p99, 0.99], [
      latency.p999,
      0.999,
    ]] as const
  ) {
    const rank = quantileRankSorted(sorted, value);
    assert.ok(Math.abs(rank - share) < 0.002, `${value} is at ${rank}, not at ${share}`);
  }
  assert.ok(Math.abs(latency.max - (sorted.at(-1) ?? NaN)) < 1);
});

test("churn leaves as many blocks as it says, and frees each once", () => {
  const blocks = new Set<number>();
  let last = 0;
  const raw: Pick<RawAllocator, "malloc" | "free"> = {
    malloc(size) {
      assert.ok(size >= 16 && size <= 1_048_576, `${size} bytes`);
      blocks.add(++last);
      return last as Address;
    },
    free: (block) => assert.ok(block === 0 || blocks.delete(block), `${block} was freed twice`),
  };
  const { bytes, free } = churn(raw as RawAllocator, 300_000, 2, 1);
  assert.ok(bytes > 300_000 * 16);
  // Nearly all of the ten thousand that live in one of two threads have been replaced by now.
  assert.ok(blocks.size > 9000 && blocks.size <= 10_000, `${blocks.size} blocks`);
  free();
  assert.equal(blocks.size, 0);
});

test("the peak, the plateau and what was given back are read from a series", () => {
  const time = Array.from({ length: 61 }, (_, index) => index * 100);
  const of = (at: number): number =>
    at < 1000 ? 10 : at < 3000 ? 100 : at < 4000 ? 60 : at < 4500 ? 80 : 30;
  const series: MemorySeries = {
    time,
    resident: time.map(of),
    heap: time.map(() => 1),
    external: time.map(() => 1),
    live: time.map(() => null),
    held: time.map(() => null),
    phases: [
      { name: "start", start: 0 },
      { name: "burst 1", start: 950 },
      { name: "idle 1", start: 2950 },
      { name: "burst 2", start: 3950 },
      { name: "idle 2", start: 4450 },
    ],
  };
  const figures = Object.fromEntries(
    Object.entries(figuresOf(series)).map(([name, { value }]) => [name, value]),
  );
  assert.deepEqual(figures, {
    peak: 100,
    plateau: 30,
    plateau1: 60,
    plateau2: 30,
    givenBack: 50,
    givenBackShare: 50 / 80,
  });
});

test("glibc's account of its memory is read from the sums at its end", () => {
  const text = `sizes>\n<total type="fast" count="9" size="900"/>\n</heap>
    <total type="fast" count="2" size="64"/>\n<total type="rest" count="1" size="1000"/>
    <total type="mmap" count="1" size="5000"/>\n<system type="current" size="3000"/>
    <system type="max" size="9000"/>\n<aspace type="total" size="3000"/>\n</malloc>`;
  assert.deepEqual(parseMallocInfo(text), { live: 6936, held: 1064, total: 8000 });
  assert.throws(() => parseMallocInfo("<malloc>"), /it tells of no arena/);
});

test("sessions are kept for as many requests as was said", () => {
  const sessions = new Sessions();
  const random = seeded(1);
  const lifetimes = Array.from({ length: 1000 }, () => lifetime(random));
  for (const requests of lifetimes) sessions.keep({}, requests);
  sessions.advance(8);
  assert.equal(sessions.size, lifetimes.filter((requests) => requests > 8).length);
  sessions.advance(392);
  assert.equal(sessions.size, lifetimes.filter((requests) => requests > 400).length);
  assert.ok(sessions.size > 20 && sessions.size < 90, `${sessions.size} are kept for long`);
  sessions.advance(2000);
  assert.equal(sessions.size, 0);
});

test("all kinds of requests come up in a burst", async () => {
  const warned: string[] = [];
  const kinds = requestKinds(
    await openImages(() => Promise.reject(new Error("no libvips")), (text) => warned.push(text)),
  );
  assert.match(warned.join(), /sharp cannot be loaded here \(Error: no libvips\).*scrypt/);
  const random = seeded(1);
  const picked = Array.from({ length: PLANS.quick.requests }, () => pickKind(kinds, random).name);
  for (const { name, percent } of kinds) {
    const share = picked.filter((each) => each === name).length * 100 / picked.length;
    assert.ok(Math.abs(share - percent) < 7, `${share} % are "${name}"`);
  }
  assert.equal(kinds.reduce((sum, { percent }) => sum + percent, 0), 100);
  const picture = kinds.find(({ name }) => name === "picture");
  const [one, same, other] = await Promise.all(
    [1, 1, 2].map((seed) => picture?.handle(seeded(seed))),
  );
  assert.deepEqual(one?.digest, same?.digest);
  assert.notEqual(one?.digest, other?.digest);
  assert.ok(one?.kept.some((thing) => Buffer.isBuffer(thing)));
});
