/**
 * The table of metrics: what prom-client, OpenTelemetry, the exporter and the guide show is made of it.
 *
 * @module
 */
import type { AllocatorFigure } from "../../allocators/statistics.ts";
import type { AgentStats } from "../agent/types.ts";
import type { CountedAllocator } from "../memory/types.ts";
import { limitsOf } from "./limits.ts";
import type { Metric, MetricReading, MetricSample } from "./types.ts";

const none: readonly MetricSample[] = [];

/** A single series; none where the figure was not counted. */
function one(value: number | boolean | null | undefined): readonly MetricSample[] {
  return value === null || value === undefined ? none : [{ labels: {}, value: Number(value) }];
}

/** Whose memory an allocator has. */
const SERVES = ["process", "blocks", "runtime"] as const;

function allocatorsOf(
  { memory: { allocator, own, runtimeAllocator } }: MetricReading,
): (readonly [(typeof SERVES)[number], CountedAllocator])[] {
  return [
    ["process", allocator],
    ...own.map((each) => ["blocks", each] as const),
    ...(runtimeAllocator === null ? [] : [["runtime", runtimeAllocator] as const]),
  ];
}

/** A series for each allocator; two libraries of one name that serve blocks are one. */
function figureSamples(reading: MetricReading, figure: AllocatorFigure): MetricSample[] {
  const sums = new Map<string, MetricSample>();
  for (const [serves, { name, figures }] of allocatorsOf(reading)) {
    const value = figures[figure];
    if (value === undefined) continue;
    const key = `${serves} ${name}`;
    const before = sums.get(key)?.value ?? 0;
    sums.set(key, { labels: { allocator: name, serves }, value: before + value });
  }
  return [...sums.values()];
}

/** What allocators count, in the words that jemalloc's exporters use. */
const FIGURES: Readonly<Record<AllocatorFigure, string>> = {
  allocated: "in blocks that the program has",
  active: "in pages that hold such blocks",
  resident: "in physical memory, by the allocator's own account",
  mapped: "of addresses that are in use",
  retained: "of addresses that are kept for later, with no memory at them",
  metadata: "for the allocator's own administration",
  committed: "of memory that may be written to",
  dirty: "in unused pages that are still in memory",
  muzzy: "in unused pages that the kernel may take when it likes",
  arenas: "parts that allocate apart from each other",
  threads: "threads that use it",
};

const COUNTS: Readonly<Partial<Record<AllocatorFigure, Metric["unit"]>>> = {
  arenas: "{arena}",
  threads: "{thread}",
};

const ALLOCATOR_METRICS: readonly Metric[] = Object.entries(FIGURES).map(([figure, help]) => ({
  name: `allocator.${figure}`,
  kind: "amount",
  unit: COUNTS[figure as AllocatorFigure] ?? "By",
  help,
  labels: ["allocator", "serves"],
  from: `allocator, own, runtimeAllocator: figures.${figure}; the agent's counted.${figure}`,
  read: (reading) => figureSamples(reading, figure as AllocatorFigure),
}));

function limitSamples(reading: MetricReading, figure: "used" | "limit"): MetricSample[] {
  return limitsOf(reading.memory, reading.agent).map((each) => ({
    labels: { source: each.source },
    value: each[figure],
  }));
}

/** A figure that the agent alone has. */
function ofAgent(
  read: (stats: AgentStats) => number | boolean,
): (reading: MetricReading) => readonly MetricSample[] {
  return ({ agent }) => one(agent === null ? null : read(agent));
}

/** The table. The names of figures are those of `processMemory()` and of the agent's `stats`. */
export const METRICS: readonly Metric[] = [
  {
    name: "allocator.info",
    kind: "state",
    unit: "{process}",
    help:
      "1, with who serves malloc, whether that was proven from inside, and the launch's profile",
    labels: ["allocator", "version", "verified", "profile"],
    from: "verifyAllocator(); the agent's hello, else the mapped files; the launch's record",
    read: ({ serving: { name, version, verified, profile } }) => [{
      labels: {
        allocator: name,
        version: version ?? "",
        verified: String(verified),
        profile: profile ?? "",
      },
      value: 1,
    }],
  },
  {
    name: "allocator.lost",
    kind: "state",
    unit: "{process}",
    help: "1 where the process was started to be under offheap's libraries, and is not; else 0",
    labels: [],
    from: "the launch's record in the environment, beside who serves malloc",
    read: ({ serving }) => one(serving.lost),
  },
  ...ALLOCATOR_METRICS,
  {
    name: "memory.part",
    kind: "amount",
    unit: "By",
    help: "what resident memory is made of; the sum over all parts, the rest included, is RSS",
    labels: ["part"],
    from: "parts",
    read: ({ memory }) =>
      memory.parts.map(({ name, bytes }) => ({ labels: { part: name }, value: bytes })),
  },
  {
    name: "memory.resident",
    kind: "amount",
    unit: "By",
    help: "physical memory in use, shared pages included",
    labels: [],
    from: "kernel.rss",
    alreadyIn: "process_resident_memory_bytes",
    convention: { name: "process.memory.usage", labels: {} },
    read: ({ memory }) => one(memory.kernel.rss),
  },
  {
    name: "memory.peak",
    kind: "amount",
    unit: "By",
    help: "the maximum that there ever was of it",
    labels: [],
    from: "kernel.peak",
    read: ({ memory }) => one(memory.kernel.peak),
  },
  {
    name: "memory.swap",
    kind: "amount",
    unit: "By",
    help: "what was swapped out",
    labels: [],
    from: "kernel.swap",
    read: ({ memory }) => one(memory.kernel.swap),
  },
  {
    name: "paging.faults",
    kind: "counter",
    unit: "{fault}",
    help: "page faults: minor, and major, which had to wait for a disk",
    labels: ["kind"],
    from: "kernel.minorFaults, kernel.majorFaults",
    convention: { name: "process.paging.faults", labels: { kind: "system.paging.fault.type" } },
    read: ({ memory: { kernel: { minorFaults, majorFaults } } }) =>
      Object.entries({ minor: minorFaults, major: majorFaults }).flatMap(([kind, value]) =>
        value === undefined ? [] : [{ labels: { kind }, value }]
      ),
  },
  {
    name: "limit",
    kind: "amount",
    unit: "By",
    help: "the nearest limit of the control groups, and the program's own",
    labels: ["source"],
    from: "group.limit, group.high; the agent's limit",
    read: (reading) => limitSamples(reading, "limit"),
  },
  {
    name: "limit.used",
    kind: "amount",
    unit: "By",
    help: "what is used of it: what the group cannot drop at once, or RSS",
    labels: ["source"],
    from: "group.available; kernel.rss",
    read: (reading) => limitSamples(reading, "used"),
  },
  {
    name: "agent.up",
    kind: "state",
    unit: "{agent}",
    help: "whether offheap's agent answers in the process",
    labels: [],
    from: "the agent's socket",
    read: ({ agent }) => one(agent !== null),
  },
  {
    name: "purges",
    kind: "counter",
    unit: "{purge}",
    help: "how often the agent had memory given back",
    labels: [],
    from: "the agent's purges",
    read: ofAgent(({ purges }) => purges),
  },
  {
    name: "purge.returned",
    kind: "counter",
    unit: "By",
    help: "by how much resident memory went down with that, in all",
    labels: [],
    from: "the agent's returned",
    read: ofAgent(({ returned }) => returned),
  },
  {
    name: "purge.last",
    kind: "state",
    unit: "s",
    help: "how long the last time took",
    labels: [],
    from: "the agent's lastPurgeMilliseconds",
    // Before the first there is no last one.
    read: ({ agent }) =>
      one(agent === null || agent.purges === 0 ? null : agent.lastPurgeMilliseconds / 1000),
  },
  {
    name: "pressure.short",
    kind: "state",
    unit: "{process}",
    help: "1 while memory is short: from 90 % of a limit on, until 85 %",
    labels: [],
    from: "the agent's pressed",
    read: ofAgent(({ pressed }) => pressed),
  },
  {
    name: "pressures",
    kind: "counter",
    unit: "{time}",
    help: "how often it has become short",
    labels: [],
    from: "the agent's pressures",
    read: ofAgent(({ pressures }) => pressures),
  },
];
