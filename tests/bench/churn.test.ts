import assert from "node:assert/strict";
import { test } from "node:test";
import { buildChurn } from "../../bench/native/build.ts";
import { WorkloadOutput } from "../../bench/suite/format.ts";
import { compileShared } from "../support/compile.ts";
import { effort } from "../support/effort.ts";
import { builtLibrary, runChild } from "../support/runtime.ts";

const PATTERNS = [
  "larson",
  "producer-consumer",
  "small",
  "large",
  "mixed",
  "realloc",
  "alloc-test",
  "glibc-bench",
  "mstress",
  "foreign-free",
  "none",
];
/** Those that have no clock in their loops. */
const UNTIMED = /^(alloc-test|glibc-bench|mstress|none)$/;
/** How long a pattern with a clock goes on. */
const MILLISECONDS = String(effort(100, 300));
const SUBJECTS = [
  { allocator: "glibc", file: null },
  { allocator: "jemalloc", file: builtLibrary("jemalloc") },
  { allocator: "mimalloc", file: builtLibrary("mimalloc") },
  { allocator: "mimalloc", file: builtLibrary("mimalloc", "secure") },
];

async function churn(file: string | null, ...words: string[]) {
  const variables = file === null ? {} : { LD_PRELOAD: file };
  const { status, stdout, stderr } = await runChild([buildChurn(), ...words], { variables });
  assert.equal(status, 0, stderr);
  return WorkloadOutput.parse(JSON.parse(stdout));
}

for (const pattern of PATTERNS) {
  test(`${pattern} does the same work under each allocator, and proves which it is`, async () => {
    const works = new Set<string>();
    for (const { allocator, file } of SUBJECTS) {
      const output = await churn(file, pattern, "3", MILLISECONDS, "7");
      assert.deepEqual(
        { allocator: output.servedBy.allocator, verified: output.servedBy.verified },
        { allocator, verified: true },
      );
      if (file !== null) assert.equal(output.servedBy.object, file);
      works.add(output.work);
      for (const name of ["throughput", "wall", "peakResident"]) {
        assert.ok((output.metrics[name]?.value ?? 0) > 0, name);
      }
      assert.equal(output.latencies === undefined, UNTIMED.test(pattern));
    }
    assert.equal(works.size, 1, [...works].join(", "));
  });
}

test("another seed is other work, and idling shows what stays resident", async () => {
  const [one, other] = [
    await churn(null, "small", "2", "500", "1"),
    await churn(null, "small", "2", "500", "2", "1"),
  ];
  assert.notEqual(one?.work, other?.work);
  assert.equal(one?.metrics["idleResident"], undefined);
  assert.ok((other?.metrics["idleResident"]?.value ?? 0) > 0);
});

test("threads that share an array in rounds of new threads do the same work each time", async () => {
  const works = [
    await churn(null, "mstress", "4", "240000", "1"),
    await churn(null, "mstress", "4", "240000", "1"),
    await churn(null, "mstress", "4", "240000", "2"),
  ].map(({ work }) => work);
  assert.equal(works[0], works[1], "whichever thread gets a block, and in whatever order");
  assert.notEqual(works[0], works[2]);
});

test("a thread idles with what it freed through another, and the program's peak has both", async () => {
  const threads = 2;
  const { metrics } = await churn(null, "foreign-free", `${threads}`, "200000", "1", "1");
  const peak = metrics["peakResident"]?.value ?? 0;
  // 16,384 blocks of 256 to 1,023 bytes a thread are in use at a time: ten megabytes.
  assert.ok(peak > threads * 8 * 2 ** 20, `${peak}`);
  assert.ok((metrics["idleResident"]?.value ?? 0) <= peak);
});

test("percentiles ascend", async () => {
  const { latencies } = await churn(null, "mixed", "2", "20000", "1");
  for (const name of ["allocate", "free"]) {
    const of = latencies?.[name];
    assert.ok(of !== undefined, name);
    const steps = [of.p50, of.p95, of.p99, of.p999, of.max];
    assert.deepEqual(steps, [...steps].sort((a, b) => a - b), name);
    assert.ok(of.mean <= of.max && of.count > 100, name);
  }
});

test("wrong arguments are refused with the usage and status 2", async () => {
  for (
    const words of [[], ["smal", "1", "10", "1"], ["small", "0", "10", "1"], [
      "small",
      "2",
      "1x",
      "1",
    ]]
  ) {
    const { status, stderr } = await runChild([buildChurn(), ...words]);
    assert.equal(status, 2);
    assert.match(stderr, /^churn: .+\nusage: churn <pattern> <threads> <operations> <seed>/);
    assert.ok(stderr.includes(`patterns: ${PATTERNS.join(" ")}`), stderr);
  }
});

test("a library that serves malloc and only bears an allocator's names is not proven", async () => {
  const decoy = compileShared("decoy-malloc.c", "churn-decoy.so");
  const { servedBy } = await churn(decoy, "small", "1", "100", "1");
  assert.equal(servedBy.object, decoy);
  assert.equal(servedBy.verified, false);
});
