import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import process from "node:process";
import { test } from "node:test";
import type { MemorySeries, WorkloadOutput } from "../../bench/suite/format.ts";
import { figuresOf } from "../../bench/workloads/service/figures.ts";
import { openImages } from "../../bench/workloads/service/images.ts";
import { PLANS } from "../../bench/workloads/service/phases.ts";
import { pickKind, requestKinds } from "../../bench/workloads/service/requests.ts";
import { lifetime, Sessions } from "../../bench/workloads/service/sessions.ts";
import { seeded } from "../../bench/workloads/support/random.ts";
import { skipUnless } from "../support/skip.ts";
import { runWorkloadUnder } from "../support/workload.ts";

const onLinux = skipUnless(process.platform === "linux", "the workloads read /proc");

function seriesOf({ memory }: WorkloadOutput): MemorySeries {
  assert.ok(memory !== undefined, "a series");
  return memory;
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

/** The meter runs in the bursts, and only there: never for longer than they took. */
function assertMetered(output: WorkloadOutput): void {
  const { phases } = seriesOf(output);
  const bursts = phases.flatMap(({ name, start }, index) =>
    name.startsWith("burst") ? [(phases[index + 1]?.start ?? NaN) - start] : []
  );
  const spent = bursts.reduce((sum, length) => sum + length, 0) / 1000;
  const wall = output.metrics["wall"]?.value ?? NaN;
  assert.ok(wall > 0 && wall <= spent, `${wall} s were metered, of ${spent} s`);
}

test(
  "the service is sampled in each phase, and its work is the same under each allocator",
  onLinux,
  async () => {
    const outputs = await Promise.all(
      ["system", "jemalloc", "mimalloc"].map((allocator) => runWorkloadUnder(allocator, "service")),
    );
    for (const output of outputs) {
      const series = seriesOf(output);
      assertSplit(series);
      assert.deepEqual(series.time, series.time.toSorted((a, b) => a - b));
      for (const [index, { name, start }] of series.phases.entries()) {
        const end = series.phases[index + 1]?.start ?? Infinity;
        assert.ok(series.time.some((at) => at >= start && at < end), `a sample in ${name}`);
      }
      assert.deepEqual(series.phases.map(({ name }) => name), [
        "start",
        "burst 1",
        "idle 1",
        "burst 2",
        "idle 2",
      ]);
      assertMetered(output);
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

test("the peak, the plateau and what was given back are read from a series", () => {
  // From each time on, in milliseconds: the rise within a burst, and the fall within an idle phase.
  const steps = [[0, 10], [1000, 50], [2000, 100], [3000, 90], [5000, 60], [6100, 20], [6500, 80], [
    7000,
    70,
  ], [8600, 30]] as const;
  const time = Array.from({ length: 96 }, (_, index) => index * 100);
  const of = (at: number): number => steps.findLast(([from]) => at >= from)?.[1] ?? NaN;
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
      { name: "burst 2", start: 6050 },
      { name: "idle 2", start: 6950 },
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
