import assert from "node:assert/strict";
import { test } from "node:test";
import {
  DEFAULT_THRESHOLDS,
  evaluateHealth,
  type HealthInputs,
  type HealthReport,
} from "../../lib/watch/info/health.ts";

const MIB = 2 ** 20;
const GOOD: HealthInputs = {
  totalMemory: 1000 * MIB,
  availableMemory: 600 * MIB,
  processMemory: 300 * MIB,
  allocator: { name: "jemalloc", verified: true },
  at: new Date(Date.UTC(2026, 0, 2, 3, 4, 5)),
};

function check(report: HealthReport, name: string): HealthReport["checks"][number] {
  const found = report.checks.find((one) => one.name === name);
  assert.ok(found, `no check "${name}"`);
  return found;
}

test("plenty of memory and a verified allocator are healthy, with the time they were taken", () => {
  const report = evaluateHealth(GOOD);
  assert.equal(report.status, "healthy");
  assert.equal(report.timestamp, "2026-01-02T03:04:05.000Z");
  assert.deepEqual(report.checks.map((one) => one.name), [
    "memory-available-share",
    "memory-available-bytes",
    "process-memory-share",
    "allocator-verified",
  ]);
  assert.ok(report.checks.every((one) => one.status === "healthy" && one.detail.length > 10));
});

test("each figure is judged degraded and unhealthy by its own bounds", () => {
  const cases: readonly [string, Partial<HealthInputs>, string][] = [
    ["memory-available-share", { availableMemory: 99 * MIB }, "degraded"],
    ["memory-available-share", { availableMemory: 29 * MIB }, "unhealthy"],
    ["memory-available-bytes", { availableMemory: 63 * MIB }, "degraded"],
    ["memory-available-bytes", { availableMemory: 15 * MIB }, "unhealthy"],
    ["process-memory-share", { processMemory: 851 * MIB }, "degraded"],
    ["process-memory-share", { processMemory: 951 * MIB }, "unhealthy"],
    ["process-memory-share", { processMemory: 1200 * MIB }, "unhealthy"],
  ];
  for (const [name, change, status] of cases) {
    const report = evaluateHealth({ ...GOOD, ...change });
    assert.equal(check(report, name).status, status, `${name} ${JSON.stringify(change)}`);
    assert.notEqual(report.status, "healthy");
  }
});

test("a bound itself is still good", () => {
  const report = evaluateHealth({ ...GOOD, availableMemory: 100 * MIB, processMemory: 850 * MIB });
  assert.equal(report.status, "healthy");
  const bytes = evaluateHealth({ ...GOOD, availableMemory: 64 * MIB });
  assert.equal(check(bytes, "memory-available-bytes").status, "healthy");
});

test("a check shows its figure, unit, and the bound that decided", () => {
  const report = evaluateHealth({ ...GOOD, availableMemory: 20 * MIB });
  const share = check(report, "memory-available-share");
  assert.deepEqual([share.value, share.threshold, share.unit], [0.02, 0.03, "share"]);
  assert.match(share.detail, /2\.0 % of 1000\.0 MiB is available: below the bound of 3\.0 %/);
  const bytes = check(report, "memory-available-bytes");
  assert.deepEqual([bytes.value, bytes.threshold, bytes.unit], [20 * MIB, 64 * MIB, "bytes"]);
});

test("bytes have the unit that makes a short number", () => {
  const sizes = { totalMemory: 24_105 * MIB, availableMemory: 1536 * MIB, processMemory: 512 };
  const { checks } = evaluateHealth({ ...GOOD, ...sizes });
  assert.deepEqual(checks.slice(1, 3).map(({ detail }) => detail), [
    "1.5 GiB is available: as it should be",
    "this process uses 512 B, 0.0 % of 23.5 GiB: as it should be",
  ]);
});

test("the report's status is the worst of its checks", () => {
  const degraded = evaluateHealth({ ...GOOD, processMemory: 900 * MIB });
  assert.equal(degraded.status, "degraded");
  const unhealthy = evaluateHealth({ ...GOOD, processMemory: 900 * MIB, availableMemory: MIB });
  assert.equal(unhealthy.status, "unhealthy");
});

test("an allocator that was not proven degrades, or what the threshold says", () => {
  const inputs = { ...GOOD, allocator: { name: "mimalloc", verified: false } };
  const report = evaluateHealth(inputs);
  assert.equal(report.status, "degraded");
  const allocator = check(report, "allocator-verified");
  assert.deepEqual([allocator.value, allocator.threshold, allocator.unit], [
    false,
    true,
    "boolean",
  ]);
  assert.match(allocator.detail, /mimalloc could not be proven/);
  for (const allocatorUnverified of ["healthy", "unhealthy"] as const) {
    assert.equal(evaluateHealth(inputs, { allocatorUnverified }).status, allocatorUnverified);
  }
});

test("thresholds replace the defaults one by one, and undefined leaves the default", () => {
  const inputs = { ...GOOD, availableMemory: 200 * MIB };
  assert.equal(evaluateHealth(inputs).status, "healthy");
  assert.equal(evaluateHealth(inputs, { availableShareDegraded: 0.25 }).status, "degraded");
  const left = { ...DEFAULT_THRESHOLDS, availableShareDegraded: undefined };
  assert.equal(Reflect.apply(evaluateHealth, undefined, [inputs, left]).status, "healthy");
});

test("a threshold that is no number, negative, not finite or above 1 is refused", () => {
  const wrong: readonly [unknown, string][] = [
    [{ availableShareDegraded: Number.NaN }, "RangeError"],
    [{ availableShareDegraded: -0.1 }, "RangeError"],
    [{ availableShareDegraded: 1.01 }, "RangeError"],
    [{ availableShareUnhealthy: 5 }, "RangeError"],
    [{ availableBytesDegraded: Number.POSITIVE_INFINITY }, "RangeError"],
    [{ availableBytesUnhealthy: -1 }, "RangeError"],
    [{ processShareDegraded: Number.NaN }, "RangeError"],
    [{ processShareUnhealthy: "0.9" }, "TypeError"],
    [{ availableBytesDegraded: 10n }, "TypeError"],
    [{ availableBytesDegraded: null }, "TypeError"],
    [{ allocatorUnverified: "sick" }, "RangeError"],
    [{ allocatorUnverified: true }, "TypeError"],
    [{ availableShare: 0.5 }, "TypeError"],
    [{ constructor: 0.5 }, "TypeError"],
    [null, "TypeError"],
    ["0.5", "TypeError"],
  ];
  for (const [thresholds, name] of wrong) {
    assert.throws(
      () => Reflect.apply(evaluateHealth, undefined, [GOOD, thresholds]),
      { name, message: /^Cannot evaluate health: .* must be .*; got / },
      JSON.stringify(thresholds, (_, value) => typeof value === "bigint" ? String(value) : value),
    );
  }
});

test("a threshold that is not a number is refused for what it is, not for its order", () => {
  assert.throws(() => evaluateHealth(GOOD, { availableShareDegraded: Number.NaN }), {
    name: "RangeError",
    message: /availableShareDegraded must be a share between 0 and 1; got NaN/,
  });
});

test("a degraded bound beyond the unhealthy one is refused", () => {
  const wrong = [
    { availableShareDegraded: 0.1, availableShareUnhealthy: 0.2 },
    { availableBytesDegraded: 1, availableBytesUnhealthy: 2 },
    { processShareDegraded: 0.9, processShareUnhealthy: 0.8 },
  ];
  for (const thresholds of wrong) {
    assert.throws(() => evaluateHealth(GOOD, thresholds), {
      name: "RangeError",
      message: /must be at least .*; got /,
    });
  }
});

test("figures that cannot be are refused", () => {
  const wrong: readonly [unknown, string][] = [
    [undefined, "TypeError"],
    [{ ...GOOD, totalMemory: 0, availableMemory: 0, processMemory: 0 }, "RangeError"],
    [{ ...GOOD, totalMemory: Number.NaN }, "RangeError"],
    [{ ...GOOD, availableMemory: -1 }, "RangeError"],
    [{ ...GOOD, availableMemory: 1001 * MIB }, "RangeError"],
    [{ ...GOOD, processMemory: Number.POSITIVE_INFINITY }, "RangeError"],
    [{ ...GOOD, processMemory: "1" }, "TypeError"],
    [{ ...GOOD, allocator: null }, "TypeError"],
    [{ ...GOOD, allocator: { name: "jemalloc" } }, "TypeError"],
    [{ ...GOOD, at: 5 }, "TypeError"],
    [{ ...GOOD, at: new Date(Number.NaN) }, "RangeError"],
  ];
  for (const [inputs, name] of wrong) {
    assert.throws(
      () => Reflect.apply(evaluateHealth, undefined, [inputs]),
      { name, message: /^Cannot evaluate health: .* must be .*; got / },
    );
  }
});
