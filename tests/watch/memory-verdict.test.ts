import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ALLOCATOR_FIGURES,
  type AllocatorFigure,
  figures,
} from "../../lib/allocators/statistics.ts";
import { judgeMemory } from "../../lib/watch/doctor/memory/judge.ts";
import { type Observation, partsOf } from "../../lib/watch/doctor/memory/observation.ts";
import type { MemoryFacts } from "../../lib/watch/doctor/memory/types.ts";
import {
  JAVASCRIPT_FIGURES,
  type JavaScriptFigure,
  KERNEL_FIGURES,
  type KernelFigure,
} from "../../lib/watch/memory/types.ts";

const MIB = 2 ** 20;

/** A process by figures in MiB. */
interface Sketch {
  readonly at?: number;
  readonly name?: "jemalloc" | "glibc" | "mimalloc";
  readonly kernel: Partial<Record<KernelFigure, number>>;
  readonly heap?: Partial<Record<JavaScriptFigure, number>>;
  readonly allocator?: Partial<Record<AllocatorFigure, number>>;
  readonly runtimeAllocator?: Partial<Record<AllocatorFigure, number>>;
  readonly spread?: { readonly arenas: number; readonly unused: number };
  readonly threads?: number;
}

function inBytes<N extends string>(sketch: Partial<Record<N, number>>): Partial<Record<N, number>> {
  const entries = Object.entries<number | undefined>(sketch)
    .map(([name, value]) => [name, name === "arenas" ? value : (value ?? 0) * MIB]);
  return Object.fromEntries(entries) as Partial<Record<N, number>>;
}

function observe(sketch: Sketch): Observation {
  const { at = 0, name = "jemalloc", kernel, heap = {}, allocator = {}, threads = 11 } = sketch;
  const spread = sketch.spread;
  return {
    at,
    allocator: {
      name,
      version: null,
      figures: figures(ALLOCATOR_FIGURES, inBytes(allocator), "not in this test"),
    },
    own: [],
    runtimeAllocator: sketch.runtimeAllocator === undefined ? null : {
      name: "mimalloc",
      version: null,
      figures: figures(ALLOCATOR_FIGURES, inBytes(sketch.runtimeAllocator), "not in this test"),
    },
    kernel: figures(KERNEL_FIGURES, inBytes(kernel), "not in this test"),
    javascript: figures(JAVASCRIPT_FIGURES, inBytes(heap), "not in this test"),
    threads,
    spread: spread === undefined ? "not in this test" : { ...spread, unused: spread.unused * MIB },
  };
}

const PATIENT = { pid: 123, runtime: "node", command: "node server.js", hasAgent: false } as const;

function judge(sketches: readonly Sketch[], more: Partial<MemoryFacts> = {}) {
  return judgeMemory({
    patient: PATIENT,
    observations: sketches.map(observe),
    purged: null,
    ...more,
  });
}

const KERNEL = { rss: 300, anonymous: 250, file: 50, anonHugePages: 0, peak: 400 };
const HEAP = { used: 40, total: 60, external: 10 };
const WELL = { allocated: 150, active: 155, resident: 165, metadata: 5, dirty: 5, mapped: 180 };

test("a process that holds nothing back is healthy, and its growth is unknown after one look", () => {
  const report = judge([{ kernel: KERNEL, heap: HEAP, allocator: WELL }]);
  assert.equal(report.verdict, "healthy");
  assert.match(report.because, /a single look cannot tell/);
  assert.equal(report.next, "`offheap doctor 123 --watch 60s` shows whether it grows");
  assert.ok(report.notSeen.some((line) => line.startsWith("growth: ")));
});

test("the parts add up to what is resident", () => {
  const parts = partsOf(observe({ kernel: KERNEL, heap: HEAP, allocator: WELL }));
  const bytes = Object.fromEntries(
    Object.entries(parts).map(([name, value]) => [name, value === null ? null : value / MIB]),
  );
  assert.deepEqual(bytes, {
    javaScriptHeap: 60,
    external: 10,
    allocatorLive: 140,
    fragmentation: 5,
    heldBack: 5,
    hugePages: 0,
    codeAndFiles: 50,
    rest: 30,
  });
});

test("a small process is too small to tell", () => {
  const report = judge([{ kernel: { rss: 3, file: 2, anonymous: 1 } }]);
  assert.equal(report.verdict, "too small to tell");
});

test("dirty pages are held back, and a purge is what to type", () => {
  const allocator = { ...WELL, resident: 290, dirty: 130 };
  const report = judge([{ kernel: KERNEL, heap: HEAP, allocator }]);
  assert.equal(report.verdict, "held back after a burst");
  assert.equal(report.figures["heldBack"], 130 * MIB);
  const because = "130.0 MiB are unused, 43 % of what is resident, and kept by the allocator";
  assert.equal(report.because, because);
  // A purge that brings next to nothing is not what it is known by.
  const after = observe({ kernel: KERNEL, heap: HEAP, allocator });
  const outcome = { milliseconds: 3, refused: null, residentBefore: 301 * MIB };
  const purged = { outcome: { ...outcome, residentAfter: 300 * MIB }, after };
  const fruitless = judge([{ kernel: KERNEL, heap: HEAP, allocator }], { purged });
  assert.deepEqual([fruitless.verdict, fruitless.because], [report.verdict, because]);
  assert.match(report.next, /^`offheap doctor 123 --try purge` brings it back; `offheap run /);
});

test("unused memory in pages in use is fragmentation", () => {
  const allocator = { ...WELL, allocated: 50, active: 155 };
  const report = judge([{ kernel: KERNEL, heap: HEAP, allocator }]);
  assert.equal(report.verdict, "fragmentation");
  assert.equal(report.figures["fragmentation"], 105 * MIB);
  assert.match(report.because, /^105\.0 MiB are unused, 35 % of what is resident, in pages/);
});

/** glibc counts blocks, not pages. */
const UNUSED_GLIBC: Sketch = {
  name: "glibc",
  kernel: KERNEL,
  heap: HEAP,
  allocator: { allocated: 50, mapped: 180 },
};

test("where pages are not counted, a purge tells what is held back from fragmentation", () => {
  const before = judge([UNUSED_GLIBC]);
  assert.equal(before.verdict, "held back after a burst");
  assert.ok(before.sure < 0.7);
  assert.match(before.because, /may be fragmentation as well/);
  const purged = (residentAfter: number, after: Sketch, refused: string | null = null) => ({
    purged: {
      outcome: {
        milliseconds: 3,
        refused,
        residentBefore: 300 * MIB,
        residentAfter: residentAfter * MIB,
      },
      after: observe(after),
    },
  });
  const stays = judge([UNUSED_GLIBC], purged(295, UNUSED_GLIBC));
  assert.equal(stays.verdict, "fragmentation");
  assert.match(stays.next, /`offheap run -- node server\.js`/);
  const after = { ...UNUSED_GLIBC, kernel: { ...KERNEL, rss: 180, anonymous: 130 } };
  const back = judge([UNUSED_GLIBC], purged(180, after));
  assert.equal(back.verdict, "held back after a burst");
  assert.match(back.because, /brought back 120\.0 MiB of 300\.0 MiB/);
  assert.deepEqual([back.resident, back.trends], [180 * MIB, null], "a purge is no trend");
  const refused = judge([UNUSED_GLIBC], purged(300, UNUSED_GLIBC, "not here"));
  assert.deepEqual([refused.verdict, refused.sure], [before.verdict, before.sure]);
});

test("unused memory in many arenas is theirs", () => {
  const spread = { arenas: 9, unused: 110 };
  const report = judge([{ ...UNUSED_GLIBC, spread }]);
  assert.equal(report.verdict, "thread arenas");
  assert.match(report.next, /^`MALLOC_ARENA_MAX=2 node server\.js`/);
  assert.deepEqual(report.also, []);
  const inOne = judge([{ ...UNUSED_GLIBC, spread: { arenas: 9, unused: 20 } }]);
  assert.equal(inOne.verdict, "held back after a burst");
});

test("arenas are suspected by their number and the threads' where they are not counted apart", () => {
  const allocator = { ...UNUSED_GLIBC.allocator, arenas: 16 };
  assert.equal(judge([{ ...UNUSED_GLIBC, allocator, threads: 40 }]).verdict, "thread arenas");
  assert.notEqual(judge([{ ...UNUSED_GLIBC, allocator, threads: 11 }]).verdict, "thread arenas");
});

test("huge pages that nobody counts are named, and those in use are not", () => {
  const kernel = { ...KERNEL, rss: 500, anonymous: 450, anonHugePages: 260 };
  const report = judge([{ kernel, heap: HEAP, allocator: WELL }]);
  assert.equal(report.verdict, "huge pages");
  assert.match(report.next, /`MALLOC_CONF=thp:never node server\.js` keeps/);
  const withoutHeap = judge([{ kernel, allocator: WELL }]);
  assert.equal(withoutHeap.verdict, "huge pages");
  assert.ok(withoutHeap.sure < report.sure, "JavaScript's heap may be in them, uncounted");
  const used = judge([{ kernel: { ...KERNEL, anonHugePages: 200 }, heap: HEAP, allocator: WELL }]);
  assert.equal(used.verdict, "healthy");
});

/** A process whose figures grow by MiB a second. */
function growing(
  by: {
    readonly rss: number;
    readonly heap?: number;
    readonly external?: number;
    readonly live?: number;
  },
  sketch: Partial<Sketch> = {},
): Sketch[] {
  return Array.from({ length: 60 }, (_, second) => ({
    at: second * 1000,
    kernel: {
      ...KERNEL,
      rss: KERNEL.rss + by.rss * second,
      anonymous: KERNEL.anonymous + by.rss * second,
    },
    heap: {
      used: HEAP.used + (by.heap ?? 0) * second + second % 5,
      total: HEAP.total + (by.heap ?? 0) * second,
      external: HEAP.external + (by.external ?? 0) * second,
    },
    allocator: {
      ...WELL,
      allocated: WELL.allocated + (by.live ?? 0) * second,
      active: WELL.active + (by.live ?? 0) * second,
      resident: WELL.resident + (by.live ?? 0) * second,
    },
    ...sketch,
  }));
}

test("growth is told apart: native blocks, the JavaScript heap, and buffers that it holds", () => {
  const native = judge(growing({ rss: 1, live: 1 }));
  assert.equal(native.verdict, "native growth");
  assert.ok(native.sure > 0.95);
  assert.match(
    native.because,
    /^it grows by 60\.0 MiB a minute, and blocks .* by 60\.0 MiB a minute$/,
  );
  const heap = judge(growing({ rss: 1, heap: 1 }));
  assert.equal(heap.verdict, "JavaScript heap growth");
  assert.ok(heap.sure > 0.95);
  assert.match(heap.next, /--heapsnapshot-signal=SIGUSR2.*`kill -USR2 123`/);
  const buffers = judge(growing({ rss: 1, external: 1, live: 1 }));
  assert.equal(buffers.verdict, "JavaScript heap growth");
  assert.equal(Math.round((buffers.figures["externalPerSecond"] ?? 0) / MIB), 1);
  const both = judge(growing({ rss: 2, external: 1.2, live: 2 }));
  assert.equal(both.verdict, "JavaScript heap growth", "buffers do not count twice");
});

test("growth comes before what is held back, which is named as well", () => {
  const kept = { ...WELL, resident: 290, dirty: 130 };
  const report = judge(growing({ rss: 2, heap: 2 }, { allocator: kept }));
  assert.equal(report.verdict, "JavaScript heap growth");
  assert.deepEqual(report.also.map(({ verdict }) => verdict), ["held back after a burst"]);
});

test("a heap that was never collected meanwhile may be garbage, and the verdict says so", () => {
  const steady = growing({ rss: 1, heap: 1 }).map((sketch, second) => ({
    ...sketch,
    heap: { ...HEAP, used: HEAP.used + second, total: HEAP.total + second },
  }));
  const report = judge(steady);
  assert.equal(report.verdict, "JavaScript heap growth");
  assert.ok(report.sure < 0.7);
  assert.match(report.because, /it may be garbage/);
});

test("little growth of a heap that was collected once may be a start, and is no verdict", () => {
  const short = growing({ rss: 1, heap: 1 }).slice(0, 12).map((sketch, second) => ({
    ...sketch,
    heap: { ...HEAP, used: HEAP.used + second - (second > 0 ? 4 : 0), total: HEAP.total + second },
  }));
  assert.equal(judge(short).verdict, "cannot tell");
});

test("from outside, growth that is not the allocator's is the heap's, and less sure", () => {
  const outside = growing({ rss: 1 }).map(({ heap: _, ...sketch }) => sketch);
  const report = judge(outside);
  assert.equal(report.verdict, "JavaScript heap growth");
  assert.ok(report.sure < 0.7);
  const blocks = judge(growing({ rss: 1, live: 1 }).map(({ heap: _, ...sketch }) => sketch));
  assert.equal(blocks.verdict, "native growth");
  assert.ok(blocks.sure < 0.7);
  assert.match(blocks.next, /--attach/);
});

test("growth of a runtime with an allocator of its own is JavaScript's, counted or not", () => {
  const runtimeAllocator = { committed: 200 };
  assert.equal(judge(growing({ rss: 1 }, { runtimeAllocator })).verdict, "JavaScript heap growth");
  const native = judge(growing({ rss: 1, live: 1 }, { runtimeAllocator }));
  assert.equal(native.verdict, "native growth");
});

test("growth that nobody counts is native, and less sure", () => {
  const report = judge(growing({ rss: 1 }));
  assert.equal(report.verdict, "native growth");
  assert.ok(report.sure < 0.7);
  assert.match(report.because, /nothing that is counted accounts for it$/);
});

test("little growth that nobody counts is no leak and no health: it cannot be told", () => {
  const report = judge(growing({ rss: 0.2 }));
  assert.equal(report.verdict, "cannot tell");
  assert.match(report.because, /^it grew by .* while it was watched: too little to tell a leak/);
  assert.match(report.next, /--watch 60s/);
  assert.equal(judge(growing({ rss: 0.2, live: 0.2 })).verdict, "native growth");
});

test("growth in steps is growth while what is counted goes on, and none when that stays, too", () => {
  const inSteps = (by: { readonly heap: number }): Sketch[] =>
    growing({ rss: 0, ...by }).map((sketch, second) => {
      const more = Math.min(second, 30);
      const kernel = { ...KERNEL, rss: KERNEL.rss + more, anonymous: KERNEL.anonymous + more };
      return { ...sketch, kernel };
    });
  assert.equal(judge(inSteps({ heap: 1 })).verdict, "JavaScript heap growth");
  assert.equal(judge(inSteps({ heap: 0 })).verdict, "healthy");
});

test("code that is used more and more is no growth", () => {
  const used = growing({ rss: 1 }).map((sketch) => ({
    ...sketch,
    kernel: { ...sketch.kernel, anonymous: KERNEL.anonymous },
  }));
  assert.equal(judge(used).verdict, "healthy");
});

test("a plateau and a growth of next to nothing are healthy", () => {
  const plateau = growing({ rss: 0 }).map((sketch, second) => {
    const more = Math.min(second, 30);
    const kernel = { ...KERNEL, rss: KERNEL.rss + more, anonymous: KERNEL.anonymous + more };
    return { ...sketch, kernel };
  });
  const settled = judge(plateau);
  assert.equal(settled.verdict, "healthy");
  assert.match(settled.because, /^it has grown, and then stayed/);
  assert.equal(judge(growing({ rss: 0.01 })).verdict, "healthy");
});

test("what cannot be seen is named with its reason, and is no health", () => {
  const { verdict, next, notSeen } = judge([{ kernel: KERNEL, name: "mimalloc" }]);
  assert.deepEqual(notSeen, [
    "the JavaScript heap: not in this test",
    "what mimalloc has given out: not in this test",
    "growth: one look was taken",
  ]);
  assert.equal(verdict, "cannot tell");
  assert.match(next, /^start it by `offheap run -- node server\.js`/);
  const silent = judge([{ kernel: KERNEL, name: "mimalloc" }], {
    patient: { ...PATIENT, hasAgent: true },
  });
  assert.equal(silent.next, "look again when its agent answers, which would say it");
  // mimalloc 2 under run: its agent has answered, and cannot say more.
  const answered = judge([{ kernel: KERNEL, name: "mimalloc", allocator: { committed: 50 } }]);
  assert.equal(answered.verdict, "cannot tell");
  assert.match(
    answered.next,
    /^`offheap run -- node server\.js` runs it under/,
  );
});
