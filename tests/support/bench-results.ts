/**
 * Results of a suite that nobody ran: every kind of figure is in them, of a fixed seed.
 *
 * @module
 */
import type { Latency, MemorySeries, WorkloadOutput } from "../../bench/suite/format.ts";
import type { CaseInfo, Results, Run, SubjectInfo } from "../../bench/suite/results.ts";
import { SUBJECTS } from "../../bench/suite/subjects.ts";
import { summaryOf } from "../../bench/suite/summary.ts";
import { type Random, seeded } from "../../bench/workloads/support/random.ts";

const MIB = 2 ** 20;
const ALL = SUBJECTS.map(({ id }) => id);
const THREE = ["system", "jemalloc-balanced", "mimalloc-balanced"];

function caseInfo(
  id: string,
  runtime: CaseInfo["runtime"],
  counts: string,
  subjects: string[],
  rounds: number,
): CaseInfo {
  const workload = id.split("-", 1)[0] ?? id;
  const title = `${id.replace(/^native-/, "")}, ${runtime}`;
  return { id, title, workload, runtime, counts, arguments: ["{}"], rounds, subjects };
}

/** Cases of every kind. */
const MADE_CASES: readonly CaseInfo[] = [
  ...["larson", "producer-consumer", "small", "large", "mixed", "realloc"].map((name) =>
    caseInfo(`native-${name}`, "native", "operations", ALL, 5)
  ),
  caseInfo("documents-node26", "node26", "documents", ALL, 5),
  caseInfo("agents-deno", "deno", "steps", THREE, 5),
  caseInfo("service-node26", "node26", "requests", ALL.slice(0, 5), 1),
  caseInfo("latency-node26", "node26", "calls", THREE, 3),
];

function subjectInfo({ id, title, allocator }: (typeof SUBJECTS)[number]): SubjectInfo {
  const launched = !/defaults|debian/.test(id);
  return {
    id,
    title,
    allocator,
    version: "1.2.3",
    build: "release",
    command: launched ? `offheap run -a ${allocator} -p x` : "LD_PRELOAD=build/lib.so",
    preloaded: ["build/lib.so"],
    variables: { MALLOC_CONF: "a:b" },
  };
}

function made(random: Random, middle: number, spread: number): number {
  return middle * (1 + (random.next() - 0.5) * spread);
}

function latency(random: Random): Latency {
  const p50 = made(random, 60, 0.5);
  return {
    count: 1000,
    mean: p50,
    p50,
    p95: p50 * 2,
    p99: p50 * 7,
    p999: p50 * 90,
    max: p50 * 4e4,
  };
}

function series(random: Random, level: number): MemorySeries {
  const phases = ["start", "burst 1", "idle 1", "burst 2", "idle 2"]
    .map((name, i) => ({ name, start: i * 16_000 }));
  const time = Array.from({ length: 800 }, (_, i) => i * 100);
  const busy = time.map((at) => Math.floor(at / 16_000) % 2 === 1);
  const resident = busy.map((is) => Math.round(made(random, is ? 300 : 90 * level, 0.1) * MIB));
  return {
    time,
    resident,
    heap: resident.map((size) => size * 0.2),
    external: resident.map((size) => size * 0.1),
    live: resident.map((size) => level === 1 ? null : size * 0.4),
    held: resident.map((size) => level === 1 ? null : size * 0.15),
    phases,
  };
}

function output(random: Random, info: CaseInfo, subject: string): WorkloadOutput {
  const level = 1 - ALL.indexOf(subject) * 0.04;
  const less = (value: number, unit: "s" | "B" | "1") => ({
    value,
    unit,
    better: "lower" as const,
  });
  const wall = made(random, 2 * level, 0.08);
  return {
    work: "0123456789abcdef",
    servedBy: { allocator: "jemalloc", verified: true, object: "lib.so" },
    metrics: {
      throughput: { value: 1000 / wall, unit: "1/s", better: "higher" },
      wall: less(wall, "s"),
      cpu: less(wall * 1.2, "s"),
      minorFaults: less(Math.round(made(random, 10_000 * level ** 8, 0.3)), "1"),
      majorFaults: less(0, "1"),
      peakResident: less(made(random, 300 * MIB * level, 0.05), "B"),
      ...(info.workload === "documents"
        ? { idleResident: less(made(random, 120 * MIB * level ** 2, 0.05), "B") }
        : {}),
    },
    ...(info.workload === "latency"
      ? {
        latencies: {
          "malloc 64 B · 1 threads · fresh": latency(random),
          "block 64 KiB · 4 threads · churned": latency(random),
        },
      }
      : {}),
    ...(info.workload === "service" ? { memory: series(random, level) } : {}),
  };
}

/** Results with figures of every kind. */
export function madeResults(): Results {
  const random = seeded(7);
  const runs: Run[] = MADE_CASES.flatMap((info) =>
    info.subjects.flatMap((subject) =>
      Array.from({ length: info.rounds }, (_, i) => ({
        case: info.id,
        subject,
        round: i + 1,
        seconds: 2,
        output: output(random, info, subject),
      }))
    )
  );
  return {
    $schema: "./results.schema.json",
    format: 1,
    mode: "full",
    seed: 7,
    started: "2026-01-02T03:04:05.000Z",
    finished: "2026-01-02T03:44:05.000Z",
    seconds: 2400,
    versions: { offheap: "0.1.0", commit: "abc", runtimes: { node26: "26.1.0" } },
    machine: {
      processor: "Test CPU",
      cores: 2,
      memory: 8 * 2 ** 30,
      system: "Debian",
      kernel: "6.1",
      libc: "glibc 2.36",
      hugePages: "madvise",
      governor: "not visible",
      virtual: true,
      load: [0.1, 0.2, 0.3],
    },
    subjects: SUBJECTS.map(subjectInfo),
    missing: [],
    cases: [...MADE_CASES],
    runs,
    summary: summaryOf({ cases: [...MADE_CASES], runs }),
  };
}
