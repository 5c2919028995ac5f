import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
  type ResourceMetrics,
} from "@opentelemetry/sdk-metrics";
import { collectDefaultMetrics, Registry } from "prom-client";
import { runtimeInfo } from "../../ffi/mod.ts";
import type { AgentStats } from "../../lib/watch/agent/types.ts";
import { limitsOf } from "../../lib/watch/metrics/limits.ts";
import { launchOf } from "../../lib/watch/processes/launch.ts";
import { metricText } from "../../lib/watch/metrics/text.ts";
import { openTelemetryName, prometheusName } from "../../lib/watch/metrics/names.ts";
import { METRICS } from "../../lib/watch/metrics/table.ts";
import { ALLOCATOR_FIGURES, registerMetrics, verifyAllocator } from "../../mod.ts";
import { type ParsedSample, parseMetrics, pick } from "../support/prometheus-text.ts";
import { FIXTURES, offheapCommand, ROOT, runChild, runtimeCommand } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const IS_LINUX = process.platform === "linux";
const linux = () => skipUnless(IS_LINUX, "offheap run preloads on Linux only here");

const PROGRAM = runtimeCommand(join(FIXTURES, "metrics.ts"));

async function ownText(): Promise<string> {
  const registry = new Registry();
  registerMetrics(registry);
  return await registry.metrics();
}

function sumOf(samples: readonly ParsedSample[]): number {
  return samples.reduce((sum, { value }) => sum + value, 0);
}

test("limits are the tighter one of the control groups, and the program's own", () => {
  const kernel = { rss: 50, anonymous: 40, absent: {} };
  const group = { limit: 100, high: 80, available: 30, absent: {} };
  const agent = { limit: 60 } as AgentStats;
  const own = { source: "program", used: 50, limit: 60 };
  assert.deepEqual(limitsOf({ kernel, group }, agent), [
    { source: "group", used: 50, limit: 80 },
    own,
  ]);
  assert.deepEqual(limitsOf({ kernel, group: { available: 30, absent: {} } }, agent), [own]);
  assert.deepEqual(limitsOf({ kernel, group: "why not" }, null), []);
});

test("each metric has a name of its own, and its labels' names", () => {
  for (const nameOf of [prometheusName, openTelemetryName]) {
    const names = METRICS.map(nameOf);
    assert.equal(new Set(names).size, names.length);
  }
  for (const metric of METRICS) {
    assert.match(prometheusName(metric), /^offheap_[a-z_]+$/);
    assert.equal(prometheusName(metric).endsWith("_total"), metric.kind === "counter");
    assert.equal(/_bytes(_total)?$/.test(prometheusName(metric)), metric.unit === "By");
  }
});

test("each figure of an allocator's has a metric, by the word that Rust's exporters use", () => {
  for (const figure of ALLOCATOR_FIGURES) {
    const unit = ["arenas", "threads"].includes(figure) ? "" : "_bytes";
    const name = `offheap_allocator_${figure}${unit}`;
    assert.ok(METRICS.some((metric) => prometheusName(metric) === name), name);
  }
});

test("a registry of prom-client's gets what was counted, beside its default metrics", async () => {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  registerMetrics(registry);
  const samples = (await registry.metrics()).split("\n")
    .filter((line) => line.startsWith("offheap_") || line.startsWith("process_resident"))
    .join("\n");
  const own = parseMetrics(samples);
  const { processAllocator: allocator, processAllocatorVersion: version } = verifyAllocator();
  const [info] = pick(own, "offheap_allocator_info");
  assert.deepEqual(info?.labels, {
    allocator,
    version: version ?? "",
    verified: "true",
    profile: "",
  });
  const allocated = pick(own, "offheap_allocator_allocated_bytes", { serves: "process" });
  assert.ok((allocated[0]?.value ?? 0) > 1000, JSON.stringify(allocated));
  const parts = sumOf(pick(own, "offheap_memory_part_bytes"));
  const rss = sumOf(pick(own, "process_resident_memory_bytes"));
  assert.ok(Math.abs(parts / rss - 1) < 0.2, `the parts are ${parts} of ${rss}`);
  const taken = METRICS.filter(({ alreadyIn }) => alreadyIn !== undefined);
  for (const metric of taken) {
    assert.notEqual(registry.getSingleMetric(metric.alreadyIn ?? ""), undefined);
    assert.equal(registry.getSingleMetric(prometheusName(metric)), undefined);
  }
});

test("what nobody counts has no series, and nothing is a number that it is not", async () => {
  const samples = parseMetrics(await ownText());
  for (const { name, value } of samples) assert.ok(Number.isFinite(value), name);
  for (const { labels } of pick(samples, "offheap_allocator_allocated_bytes")) {
    if (labels["allocator"] !== "glibc") continue;
    // glibc counts no pages.
    assert.deepEqual(pick(samples, "offheap_allocator_dirty_bytes", labels), []);
  }
  assert.deepEqual(
    pick(samples, "offheap_allocator_lost"),
    [],
    "nothing was asked of this process",
  );
  assert.deepEqual(pick(samples, "offheap_purges_total"), [], "it has no agent");
  assert.equal(pick(samples, "offheap_agent_up")[0]?.value, 0);
});

test("metrics that were taken out of a registry are gone, and a name that is taken leaves none", async () => {
  const registry = new Registry();
  const end = registerMetrics(registry);
  assert.throws(() => registerMetrics(registry), /already been registered/);
  assert.match(await registry.metrics(), /offheap_allocator_info/);
  registry.resetMetrics();
  assert.match(await registry.metrics(), /offheap_memory_part_bytes\{/);
  end();
  assert.doesNotMatch(await registry.metrics(), /offheap_/);
  assert.doesNotThrow(registerMetrics(registry));
});

test("OpenMetrics has the counters' names as it wants them", async () => {
  const registry = new Registry();
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never);
  registerMetrics(registry);
  const text = await registry.metrics();
  assert.match(
    text,
    /^# TYPE offheap_paging_faults counter\noffheap_paging_faults_total\{kind="minor"\} \d+$/m,
  );
});

test("what is neither a registry nor a meter is refused", () => {
  for (const registry of [null, {}, "registry", { registerMetric() {} }]) {
    assert.throws(
      () => registerMetrics(registry as never),
      /^TypeError: Cannot register metrics: the registry must be a Registry .* or a Meter .*; got /s,
    );
  }
});

/** What OpenTelemetry's own SDK collects. */
async function collect(): Promise<{ all: ResourceMetrics; end: () => void }> {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const provider = new MeterProvider({ readers: [reader] });
  const end = registerMetrics(provider.getMeter("offheap"));
  const { resourceMetrics, errors } = await reader.collect();
  assert.deepEqual(errors, []);
  end();
  await provider.shutdown();
  return { all: resourceMetrics, end };
}

test("a meter of OpenTelemetry's gets one snapshot, under the conventions' names", async () => {
  const { all } = await collect();
  const metrics = new Map(
    all.scopeMetrics.flatMap((scope) =>
      scope.metrics.map((each) => [each.descriptor.name, each] as const)
    ),
  );
  const points = (name: string) =>
    (metrics.get(name)?.dataPoints ?? []).map(({ attributes, value }) => ({
      attributes,
      value: Number(value),
    }));
  const parts = points("offheap.memory.part").reduce((sum, { value }) => sum + value, 0);
  assert.equal(parts, points("process.memory.usage")[0]?.value, "the parts add up to RSS");
  const kinds = points("process.paging.faults").map((each) => each.attributes);
  assert.deepEqual(kinds, [
    { "system.paging.fault.type": "minor" },
    { "system.paging.fault.type": "major" },
  ]);
  const info = points("offheap.allocator.info")[0];
  assert.equal(info?.attributes["offheap.allocator"], verifyAllocator().processAllocator);
  assert.equal(metrics.get("process.memory.usage")?.descriptor.unit, "By");
});

test("under offheap run the profile, the proof and the agent are in it", linux(), async () => {
  const command = offheapCommand("run", "-a", "jemalloc", "-p", "low-memory", "--", ...PROGRAM);
  const { stdout, stderr, status } = await runChild(command);
  assert.equal(status, 0, stderr);
  const samples = parseMetrics(stdout);
  const [info] = pick(samples, "offheap_allocator_info");
  const { version, ...labels } = info?.labels ?? {};
  assert.deepEqual(labels, { allocator: "jemalloc", verified: "true", profile: "low-memory" });
  assert.match(version ?? "", /^5\.3\.\d$/);
  assert.equal(pick(samples, "offheap_allocator_lost")[0]?.value, 0);
  assert.equal(pick(samples, "offheap_agent_up")[0]?.value, 1);
  for (
    const name of ["offheap_purges_total", "offheap_pressures_total", "offheap_pressure_short"]
  ) {
    assert.equal(pick(samples, name).length, 1, name);
  }
  const sizes = Object.fromEntries(
    ["allocated", "active", "resident", "mapped"].map((name) => [
      name,
      pick(samples, `offheap_allocator_${name}_bytes`, { serves: "process" })[0]?.value ?? 0,
    ]),
  );
  assert.ok((sizes["allocated"] ?? 0) <= (sizes["active"] ?? 0), JSON.stringify(sizes));
  assert.ok((sizes["active"] ?? 0) <= (sizes["resident"] ?? 0), JSON.stringify(sizes));
});

test("a preload that a process manager has dropped is lost", linux(), async () => {
  const env = await runChild(offheapCommand("env", "--format", "json"));
  const variables = { ...JSON.parse(env.stdout), LD_PRELOAD: undefined };
  const samples = parseMetrics((await runChild(PROGRAM, { variables })).stdout);
  assert.equal(pick(samples, "offheap_allocator_lost")[0]?.value, 1);
  assert.equal(pick(samples, "offheap_allocator_info")[0]?.labels["profile"], "balanced");
});

test("Bun's own allocator has series of its own", () =>
  runtimeInfo().name !== "bun" ? undefined : ownText().then((text) => {
    const own = pick(parseMetrics(text), "offheap_allocator_committed_bytes", {
      serves: "runtime",
    });
    assert.equal(own[0]?.labels["allocator"], "mimalloc");
  }));

test("what a launch asked is read of any environment, a broken record included", () => {
  const both = "LD_PRELOAD=/x/libjemalloc.so:/x/liboffheap.so+OFFHEAP_PROFILE=balanced";
  const cases: readonly (readonly [string | undefined, string, boolean, boolean | null])[] = [
    [undefined, "glibc", false, null],
    ["nonsense", "glibc", false, null],
    ["A=%E0%A4%A", "glibc", false, null],
    [both, "jemalloc", true, false],
    [both, "glibc", true, true],
    [both, "jemalloc", false, true],
    ["LD_PRELOAD=/x/liboffheap.so", "glibc", true, false],
    ["LD_PRELOAD=/x/liboffheap.so", "glibc", false, true],
    ["LD_PRELOAD=/cache/links/0123-liboffheap.so", "musl", false, true],
  ];
  for (const [record, serving, hasShim, expected] of cases) {
    const launch = launchOf(record === undefined ? {} : { OFFHEAP_SET: record });
    assert.equal(launch.isLost(serving, hasShim), expected, `${record} ${serving} ${hasShim}`);
  }
});

test("text that a process brings along cannot become another series", () => {
  const [metric] = METRICS;
  assert.ok(metric !== undefined);
  const evil = 'a"} 1\noffheap_allocator_lost 1\n\\';
  const text = metricText(metric, [{ labels: { version: evil }, value: 1 }]);
  const samples = parseMetrics(text);
  assert.deepEqual(samples.map(({ labels }) => labels), [{ version: evil }]);
  const helped = metricText({ ...metric, help: "one\ntwo \\" }, [{ labels: {}, value: 1 }]);
  assert.match(helped, /^# HELP \S+ one\\ntwo \\\\$/m);
});

test("the guide's table is the table of metrics", () => {
  const guide = readFileSync(join(ROOT, "docs", "user-guide", "fleet.md"), "utf8");
  const rows = [
    ...guide.matchAll(/^\| `(offheap_[a-z_]+)` +\| ([^|]*?) +\| ([^|]*?) +\| ([^|]*?) +\|$/gm),
  ]
    .map(([, name, kind, labels, help]) => ({ name, kind, labels, help }));
  assert.deepEqual(
    rows.filter(({ name }) => !name?.startsWith("offheap_serve_")),
    METRICS.map((metric) => ({
      name: prometheusName(metric),
      kind: metric.kind === "counter" ? "counter" : "gauge",
      labels: metric.labels.map((label) => `\`${label}\``).join(", "),
      help: metric.help,
    })),
  );
});
