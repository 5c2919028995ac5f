import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { runtimeInfo } from "../../ffi/mod.ts";
import { ALLOCATOR_FIGURES } from "../../lib/allocators/statistics.ts";
import { fragmentationOf } from "../../lib/watch/memory/fragmentation.ts";
import { readKernelFigures } from "../../lib/watch/memory/kernel.ts";
import {
  FRAGMENTATION_FIGURES,
  GROUP_FIGURES,
  JAVASCRIPT_FIGURES,
  KERNEL_FIGURES,
} from "../../lib/watch/memory/types.ts";
import {
  decayProcess,
  openAllocator,
  type ProcessMemory,
  processMemory,
  type Purged,
  purgeProcess,
} from "../../mod.ts";
import { onceInBun } from "../support/effort.ts";
import { IS_MUSL } from "../support/libc.ts";
import { builtLibrary, FIXTURES, runChild, runtimeCommand } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";
import { tree } from "../support/tree.ts";

const onLinux = skipUnless(process.platform === "linux", "needs /proc");
const withGlibc = skipUnless(process.platform === "linux" && !IS_MUSL, "needs glibc");
const PROGRAM = join(FIXTURES, "process-memory.ts");
const RUNTIME = runtimeInfo().name;
const MIB = 2 ** 20;

interface Printed {
  readonly snapshot: ProcessMemory;
  readonly purged: Purged;
}

const taken = new Map<string | null, Promise<Printed>>();

async function take(allocator: string | null): Promise<Printed> {
  const variables = allocator === null ? {} : { LD_PRELOAD: builtLibrary(allocator, "preload") };
  const { stdout, stderr } = await runChild(runtimeCommand(PROGRAM, "own", "full"), { variables });
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout);
}

/** What the program prints under an allocator; it runs once for all that look at it. */
function snapshotUnder(allocator: string | null): Promise<Printed> {
  const found = taken.get(allocator) ?? take(allocator);
  taken.set(allocator, found);
  return found;
}

interface AnyFigures {
  readonly absent: Readonly<Record<string, string>>;
}

/** Every figure of a snapshot: where it is, and the names it has to have. */
function allFigures(memory: ProcessMemory): [string, readonly string[], AnyFigures][] {
  const found: [string, readonly string[], object][] = [
    ["allocator", ALLOCATOR_FIGURES, memory.allocator.figures],
    ...memory.own.map((own): [string, readonly string[], object] => [
      "own",
      ALLOCATOR_FIGURES,
      own.figures,
    ]),
    ["kernel", KERNEL_FIGURES, memory.kernel],
    ["javascript", JAVASCRIPT_FIGURES, memory.javascript],
    ["fragmentation", FRAGMENTATION_FIGURES, memory.fragmentation],
  ];
  const { runtimeAllocator, group } = memory;
  if (runtimeAllocator !== null) {
    found.push(["runtime", ALLOCATOR_FIGURES, runtimeAllocator.figures]);
  }
  if (typeof group !== "string") found.push(["group", GROUP_FIGURES, group]);
  return found as [string, readonly string[], AnyFigures][];
}

/**
 * What may be 0 in a program that has something of everything, and who counts it. All else that is 0
 * was not counted.
 */
const COUNTED_ZEROS: Readonly<Record<string, string>> = {
  "kernel swap": "VmSwap: nothing was swapped out",
  "kernel shared": "RssShmem: nothing is shared",
  "kernel anonHugePages": "AnonHugePages: the kernel gave none",
  "kernel majorFaults": "stat: all was in the page cache",
  "allocator dirty": "jemalloc's pdirty",
  "allocator muzzy": "jemalloc's pmuzzy: offheap's profiles leave none",
  "allocator retained": "jemalloc's retained",
  "own dirty": "jemalloc's pdirty",
  "own muzzy": "jemalloc's pmuzzy",
  "own retained": "jemalloc's retained",
  "group limitReached": "failcnt or memory.events",
  "group outOfMemory": "memory.events",
  "group killed": "oom_control or memory.events",
  "fragmentation allocator_frag_bytes": "a difference",
};

function assertWhole(memory: ProcessMemory): void {
  for (const [where, names, figures] of allFigures(memory)) {
    for (const name of names) {
      const value: unknown = Reflect.get(figures, name);
      const reason = figures.absent[name];
      const what = `${where} ${name}: ${value}, ${reason}`;
      assert.equal(value === undefined, reason !== undefined, what);
      if (value === undefined) assert.ok(String(reason).length > 10, what);
      else assert.ok(typeof value === "number" && Number.isFinite(value), what);
      if (value === 0) assert.ok(`${where} ${name}` in COUNTED_ZEROS, `nobody counted ${what}`);
    }
  }
}

for (const allocator of [null, "jemalloc", "mimalloc"]) {
  const name = allocator ?? "glibc";
  test(
    `under ${name}, each figure is counted or has a reason, and the parts add up to RSS`,
    allocator === null
      ? withGlibc
      : allocator === "mimalloc"
      ? onceInBun("mimalloc counts in the same way", onLinux)
      : onLinux,
    async () => {
      const { snapshot } = await snapshotUnder(allocator);
      assertWhole(snapshot);
      const { kernel, javascript, parts } = snapshot;
      assert.equal(snapshot.allocator.name, name);
      assert.deepEqual(
        snapshot.own.map((own) => own.name),
        allocator === "jemalloc" ? [] : ["jemalloc"],
      );
      const { rss = NaN, anonymous = NaN, file = NaN, shared = NaN, pss = NaN } = kernel;
      assert.equal(anonymous + file + shared, rss);
      assert.ok(pss > anonymous * 0.9 && pss <= rss * 1.02, `${pss} of ${rss}`);
      assert.ok((kernel.peak ?? 0) >= rss && (kernel.minorFaults ?? 0) > 1000);
      assert.equal(parts.reduce((sum, part) => sum + part.bytes, 0), rss);
      const rest = parts.at(-1);
      assert.equal(rest?.name, "rest");
      for (const part of parts.slice(0, -1)) assert.ok(part.bytes >= 0, part.name);
      // mimalloc 2.0 counts what is committed, which may be more than there is in memory.
      const most = allocator === "mimalloc" ? 0.5 : 0.15;
      assert.ok(Math.abs(rest?.bytes ?? NaN) < rss * most, `${rest?.bytes} of ${rss} is the rest`);
      assert.ok((javascript.used ?? 0) > 5 * MIB && (javascript.external ?? 0) > 47 * MIB);
      assert.ok((javascript.used ?? 0) < 100 * MIB, "what is outside of the heap is not in it");
    },
  );
}

test("array buffers count where the runtime counts all of them", onLinux, async () => {
  const { snapshot } = await snapshotUnder(null);
  const { arrayBuffers, absent } = snapshot.javascript;
  if (RUNTIME === "node") assert.ok((arrayBuffers ?? 0) > 47 * MIB);
  else assert.match(absent.arrayBuffers ?? "", /external has|are in external/);
});

test("what is slow to count is counted only when it is asked for", onLinux, () => {
  const quick = processMemory();
  const full = processMemory({ full: true });
  for (const name of ["pss", "anonHugePages"] as const) {
    assert.equal(quick.kernel[name], undefined);
    assert.match(quick.kernel.absent[name] ?? "", /ask with \{ full: true \}/);
    assert.equal(typeof full.kernel[name], "number");
  }
  assert.throws(() => Reflect.apply(processMemory, null, [{ full: 1 }]), {
    name: "TypeError",
    message: /full must be true or false; got 1/,
  });
  assert.throws(() => Reflect.apply(processMemory, null, [{ fully: true }]), { name: "TypeError" });
});

test("Bun's own allocator is counted apart", onLinux, async () => {
  const { snapshot } = await snapshotUnder(null);
  const { runtimeAllocator, fragmentation } = snapshot;
  if (RUNTIME !== "bun") return assert.equal(runtimeAllocator, null);
  assert.equal(runtimeAllocator?.name, "mimalloc");
  assert.ok((runtimeAllocator?.figures.allocated ?? 0) > 47 * MIB);
  assert.match(fragmentation.absent.mem_fragmentation_ratio ?? "", /the runtime's own mimalloc/);
});

test("fragmentation is Redis's, and says what it lacks", () => {
  const jemalloc = { allocated: 100, active: 110, resident: 165, absent: {} };
  assert.deepEqual(fragmentationOf([jemalloc], 330), {
    allocator_frag_ratio: 1.1,
    allocator_frag_bytes: 10,
    allocator_rss_ratio: 1.5,
    allocator_rss_bytes: 55,
    rss_overhead_ratio: 2,
    rss_overhead_bytes: 165,
    mem_fragmentation_ratio: 3.3,
    mem_fragmentation_bytes: 230,
    absent: {},
  });
  const glibc = { allocated: 200, absent: { active: "not pages", resident: "not pages" } };
  const both = fragmentationOf([glibc, jemalloc], 600);
  assert.equal(both.mem_fragmentation_ratio, 2);
  assert.equal(both.absent.allocator_frag_ratio, "not pages");
  assert.equal(both.absent.rss_overhead_bytes, "not pages");
  assert.match(
    fragmentationOf([{ ...jemalloc, allocated: 0 }], 1).absent.allocator_frag_ratio ?? "",
    /nothing allocated/,
  );
});

test("the kernel's figures are those of its files, and any other file is refused", () => {
  const status = "Name:\tx\nVmHWM:\t 900 kB\nVmRSS:\t 800 kB\nRssAnon:\t 500 kB\n" +
    "RssFile:\t 250 kB\nRssShmem:\t 50 kB\nVmSwap:\t 7 kB\n";
  const root = tree({
    "proc/self/status": status,
    "proc/self/stat": "1 (a b) c) S 1 1 1 0 -1 4194560 1234 5 67 8 0 0 0 0",
    "proc/self/smaps_rollup": "Pss: 600 kB\nAnonHugePages: 0 kB\n",
    "proc/12/status": "Name:\tkworker\n",
    "proc/12/stat": "12 (kworker) S 1 1 1 0 -1 4194560 0 0 0 0",
    "proc/13/status": "what\n",
  });
  assert.deepEqual(readKernelFigures({ root, full: true }), {
    rss: 800 * 1024,
    pss: 600 * 1024,
    swap: 7 * 1024,
    anonymous: 500 * 1024,
    file: 250 * 1024,
    shared: 50 * 1024,
    anonHugePages: 0,
    peak: 900 * 1024,
    minorFaults: 1234,
    majorFaults: 67,
    absent: {},
  });
  const ofKernel = readKernelFigures({ root, pid: 12 });
  assert.equal(ofKernel.rss, undefined, "no memory is not 0 bytes of it");
  assert.match(ofKernel.absent.rss ?? "", /it is the kernel's, or it has ended/);
  assert.throws(() => readKernelFigures({ root, pid: 13 }), {
    code: "ERR_OFFHEAP_SYSTEM_INFO",
    message: /"VmRSS: N kB"; got "what/,
  });
  assert.throws(() => readKernelFigures({ root, pid: 4_000_001 }), {
    code: "ERR_OFFHEAP_SYSTEM_INFO",
    message: /process 4000001/,
  });
  assert.throws(() => readKernelFigures({ pid: 0 }), { name: "RangeError" });
});

test("without a /proc, the runtime's own figures are taken, and the others have a reason", () => {
  const figures = readKernelFigures({ root: tree({}) });
  const { rss = NaN, peak = NaN, anonymous, absent } = figures;
  assert.ok((figures.minorFaults ?? 0) > 1000);
  assert.ok(rss > 10 * MIB && peak >= rss * 0.9);
  assert.equal(anonymous, undefined);
  assert.match(absent.anonymous ?? "", /no \/proc that says so/);
});

test("the kernel's figures are those that its own file says", onLinux, () => {
  const { rss = NaN, swap, minorFaults = NaN, majorFaults = NaN } = readKernelFigures();
  const text = readFileSync("/proc/self/status", "utf8");
  const said = Number(/^VmRSS:\s+(\d+)/m.exec(text)?.[1]) * 1024;
  assert.ok(Math.abs(said - rss) < 16 * MIB, `${said} and ${rss}`);
  assert.equal(typeof swap, "number");
  const { minorFaults: minor = NaN, majorFaults: major = NaN } = readKernelFigures({
    pid: process.pid,
  });
  assert.ok(minor >= minorFaults && minor - minorFaults < 5000, `${minorFaults}, then ${minor}`);
  assert.ok(major >= majorFaults && major - majorFaults < 500, `${majorFaults}, then ${major}`);
});

test("offheap's own allocator gives memory back, and says how much", onLinux, () => {
  const memory = openAllocator({ allocator: "jemalloc" });
  memory.decay(60_000);
  const blocks = Array.from({ length: 64 }, () => memory.allocate(MIB + 1));
  for (const block of blocks) block.bytes.fill(1);
  assert.ok((memory.stats().allocated ?? 0) > 64 * MIB);
  for (const block of blocks) block.free();
  assert.ok((memory.stats().dirty ?? 0) >= 40 * MIB, "what offheap itself does not keep is kept");
  const { returned, residentBefore, residentAfter, refused, milliseconds } = memory.purge();
  assert.equal(refused, null);
  assert.equal(returned, residentBefore - residentAfter);
  assert.ok(returned > 32 * MIB, `${returned} came back`);
  assert.ok(milliseconds > 0);
  assert.equal(memory.stats().dirty, 0);
  memory.decay(null);
  for (const wrong of [-1, 1.5, NaN, 2 ** 40]) {
    assert.throws(() => memory.decay(wrong), { name: "RangeError" });
  }
  assert.throws(() => Reflect.apply(memory.decay, memory, ["1"]), { name: "TypeError" });
  memory.close();
  assert.throws(() => memory.stats(), { code: "ERR_OFFHEAP_CLOSED" });
  assert.throws(() => memory.purge(), { code: "ERR_OFFHEAP_CLOSED" });
});

test("the process's allocator purges, and glibc says that it has no decay", withGlibc, async () => {
  assert.equal(purgeProcess().refused, null);
  assert.throws(() => decayProcess(100), {
    code: "ERR_OFFHEAP_UNSUPPORTED_OPERATION",
    message: /gives memory back when it is asked to, and not after a time/,
  });
  const { purged, snapshot } = await snapshotUnder("jemalloc");
  assert.equal(snapshot.allocator.name, "jemalloc");
  assert.equal(purged.refused, null);
});

test("the system's blocks are counted by whoever serves malloc", withGlibc, () => {
  const memory = openAllocator({ allocator: "system" });
  const block = memory.allocate(96 * MIB);
  assert.ok((memory.stats().allocated ?? 0) > block.size);
  assert.match(memory.stats().absent.active ?? "", /blocks, not pages/);
  block.free();
  memory.close();
});
