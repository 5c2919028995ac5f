import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { quantileRankSorted } from "simple-statistics";
import type { Latency } from "../../bench/suite/format.ts";
import { callsAt } from "../../bench/workloads/latency/calls.ts";
import { churn } from "../../bench/workloads/latency/churn.ts";
import { latencyOf } from "../../bench/workloads/latency/histogram.ts";
import { seeded } from "../../bench/workloads/support/random.ts";
import type { Address, RawAllocator } from "../../mod.ts";
import { runChild } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";
import { runWorkloadUnder, workloadCommand } from "../support/workload.ts";

const onLinux = skipUnless(process.platform === "linux", "the workloads read /proc");

test(
  "the latency of each call is reported for each count of threads, and the work repeats",
  onLinux,
  async () => {
    const options = { threads: "0,2", heap: "churned" };
    const [first, second, fresh] = await Promise.all([
      runWorkloadUnder("jemalloc", "latency", options),
      runWorkloadUnder("system", "latency", options),
      runWorkloadUnder("mimalloc", "latency", { threads: 1 }),
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
  for (
    const [options, message] of [
      [{ heap: "stale" }, /heap must be one of fresh, churned; got "stale"/],
      [{ threads: "1,,2" }, /threads must be a list such as "1,2,4"; got "1,,2"/],
    ] as const
  ) {
    const { status, stderr } = await runChild(workloadCommand("latency", options));
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
