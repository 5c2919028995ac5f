import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { ffi } from "../../ffi/mod.ts";
import { PROCESS_MALLOC_SYMBOLS } from "../../ffi/symbols/libc.ts";
import { SHIM_SYMBOLS } from "../../ffi/symbols/shim.ts";
import { parseMallocInfo } from "../../lib/allocators/glibc/malloc-info.ts";
import { openGlibcStatistics } from "../../lib/allocators/glibc/statistics.ts";
import { openJemallocStatistics } from "../../lib/allocators/jemalloc/statistics.ts";
import { ALLOCATORS } from "../../lib/allocators/mod.ts";
import {
  ALLOCATOR_FIGURES,
  type AllocatorFigures,
  figures,
} from "../../lib/allocators/statistics.ts";
import { openAllocator, openMallctl } from "../../mod.ts";
import { IS_MUSL } from "../support/libc.ts";
import { builtLibrary } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const withGlibc = skipUnless(process.platform === "linux" && !IS_MUSL, "needs glibc");

/** Every name has a number or a reason, and not both. */
function assertWhole(found: AllocatorFigures): void {
  for (const name of ALLOCATOR_FIGURES) {
    const value = found[name];
    const reason = found.absent[name];
    assert.equal(value === undefined, reason !== undefined, `${name}: ${value}, ${reason}`);
    if (value !== undefined) {
      assert.ok(Number.isSafeInteger(value) && value >= 0, `${name} ${value}`);
    } else assert.ok((reason?.length ?? 0) > 10, `${name} has a reason`);
  }
  assert.deepEqual(
    Object.keys(found).filter((name) => name !== "absent").sort(),
    ALLOCATOR_FIGURES.filter((name) => found[name] !== undefined).sort(),
  );
}

test("a figure that nobody counted has to have a reason", () => {
  const found = figures(["allocated", "active"], { allocated: 1 }, { active: "not counted" });
  assert.deepEqual(found, { allocated: 1, absent: { active: "not counted" } });
  assert.throws(
    () => figures(["allocated", "active"], { allocated: 1 }, {}),
    /"active": it has no/,
  );
});

test("each allocator that is known says of every figure what it is, or why it has none", () => {
  for (const { library, openStatistics } of ALLOCATORS) {
    if (library !== null) continue;
    if (process.platform !== "linux" || IS_MUSL) continue;
    const statistics = openStatistics(null);
    assertWhole(statistics.read());
    const arenas = statistics.readArenas();
    if (typeof arenas !== "string") { for (const arena of arenas) assertWhole(arena.figures); }
    statistics.close();
  }
});

test("jemalloc's figures follow what is allocated, and come back down when it is purged", () => {
  const memory = openAllocator({ allocator: "jemalloc" });
  const statistics = openJemallocStatistics(builtLibrary("jemalloc"));
  const before = statistics.read();
  assertWhole(before);
  const SIZE = 64 << 20;
  const block = memory.allocate(SIZE);
  block.bytes.fill(1);
  const during = statistics.read();
  for (const name of ["allocated", "active", "resident", "mapped"] as const) {
    const grown = (during[name] ?? NaN) - (before[name] ?? NaN);
    assert.ok(grown >= SIZE * 0.9 && grown <= SIZE * 1.25, `${name} grew by ${grown}`);
  }
  const { allocated = 0, active = 0, resident = 0, metadata = 0, arenas = 0, threads = 0 } = during;
  assert.ok(allocated <= active && active <= resident && metadata > 0, JSON.stringify(during));
  assert.ok(arenas >= 1 && threads >= 1, `${arenas} arenas, ${threads} threads`);
  block.free();
  memory.collect();
  assert.equal(statistics.purge(), null);
  const after = statistics.read();
  assert.ok((after.allocated ?? NaN) < allocated - SIZE * 0.9);
  assert.equal(after.dirty, 0, "counted, and nothing is left");
  statistics.close();
  memory.close();
});

test("jemalloc's arenas add up to its totals", () => {
  const memory = openAllocator({ allocator: "jemalloc" });
  const heap = memory.heap();
  const block = heap.allocate(1 << 20);
  const statistics = openJemallocStatistics(builtLibrary("jemalloc"));
  const all = statistics.read();
  const arenas = statistics.readArenas();
  assert.ok(typeof arenas !== "string" && arenas.length === all.arenas);
  for (const { figures } of arenas) assertWhole(figures);
  for (
    const name of ["allocated", "active", "resident", "mapped", "retained", "metadata"] as const
  ) {
    const sum: number = arenas.reduce((bytes, { figures }) => bytes + (figures[name] ?? NaN), 0);
    assert.equal(sum, all[name], name);
  }
  assert.ok(arenas.some(({ figures }) => (figures.allocated ?? 0) >= block.size));
  statistics.close();
  heap.destroy();
  memory.close();
});

test("jemalloc keeps unused pages as long as it is asked to, and as at the start again", () => {
  const memory = openAllocator({ allocator: "jemalloc" });
  const statistics = openJemallocStatistics(builtLibrary("jemalloc"));
  const namespace = openMallctl();
  const kept = () =>
    ["dirty", "muzzy"].flatMap((kind) => [
      namespace.read(`arenas.${kind as "dirty" | "muzzy"}_decay_ms`),
      namespace.read(`arena.<i>.${kind as "dirty" | "muzzy"}_decay_ms`, 0),
    ]);
  const before = kept();
  assert.equal(statistics.decay(1234), null);
  assert.deepEqual(kept(), [1234, 1234, 1234, 1234]);
  assert.equal(statistics.decay(-1), null);
  assert.deepEqual(kept(), before);
  statistics.close();
  memory.close();
});

test("glibc's account of its memory is read from the sums at its end", () => {
  const arena = `<heap nr="0">\n<sizes>\n<size from="33" to="33" total="99" count="3"/>\n</sizes>
    <total type="fast" count="1" size="32"/>\n<total type="rest" count="1" size="500"/>
    <system type="current" size="2000"/>\n<system type="max" size="9000"/>
    <aspace type="total" size="2000"/>\n<aspace type="mprotect" size="2500"/>\n</heap>\n`;
  const text = `<malloc version="1">\n${arena}<total type="fast" count="2" size="64"/>
    <total type="rest" count="1" size="1000"/>\n<total type="mmap" count="1" size="5000"/>
    <system type="current" size="3000"/>\n<system type="max" size="9000"/>
    <aspace type="total" size="3000"/>\n<aspace type="mprotect" size="3500"/>\n</malloc>`;
  assert.deepEqual(parseMallocInfo(text), {
    arenas: [{ free: 532, system: 2000, writable: 2500, mapped: 0 }],
    all: { free: 1064, system: 3000, writable: 3500, mapped: 5000 },
  });
  assert.throws(() => parseMallocInfo("<malloc>"), /it has no row "total fast"/);
});

test("glibc's figures are those of its mallinfo2, and follow what is allocated", withGlibc, () => {
  const statistics = openGlibcStatistics();
  const shim = ffi().open(builtLibrary("offheap"), {
    offheap_glibc_in_use: SHIM_SYMBOLS.offheap_glibc_in_use,
  });
  const { calls, close } = ffi().open(null, PROCESS_MALLOC_SYMBOLS);
  const SIZE = 96 << 20;
  const before = statistics.read();
  assertWhole(before);
  const block = calls.malloc(SIZE);
  const inUse = new BigUint64Array(1);
  const during = statistics.read();
  assert.equal(shim.calls.offheap_glibc_in_use(inUse), 0);
  // The runtime allocates between the two questions, too.
  assert.ok(Math.abs(Number(inUse[0]) - (during.allocated ?? NaN)) < 1 << 20);
  for (const name of ["allocated", "mapped", "committed"] as const) {
    const grown = (during[name] ?? NaN) - (before[name] ?? NaN);
    assert.ok(Math.abs(grown - SIZE) <= 1 << 20, `${name} grew by ${grown}`);
  }
  assert.ok((during.arenas ?? 0) >= 1);
  calls.free(block);
  assert.equal(statistics.purge(), null);
  assert.match(statistics.decay(0) ?? "", /when it is asked to/);
  statistics.close();
  shim.close();
  close();
});
