import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { type Heap, openAllocator } from "../../mod.ts";
import { effort, onceInBun } from "../support/effort.ts";
import { skipUnless } from "../support/skip.ts";

const ONCE = onceInBun("the allocator gives memory back, and counts its arenas");

for (const allocator of ["jemalloc", "mimalloc"] as const) {
  test(`${allocator}: a heap counts its own blocks, and is destroyed with those that are left`, () => {
    const memory = openAllocator({ allocator });
    const heap = memory.heap();
    const outside = memory.allocate(1 << 20);
    assert.deepEqual({ ...heap.statistics(), resident: 0, mapped: 0 }, {
      allocated: 0,
      resident: 0,
      mapped: 0,
      blocks: 0,
    });
    const blocks = Array.from({ length: 200 }, (_, i) => heap.allocate(1000 + i * 300));
    const wanted = blocks.reduce((sum, { size }) => sum + size, 0);
    for (const block of blocks) block.bytes.fill(5);
    const full = heap.statistics();
    assert.ok(full.allocated >= wanted, `${full.allocated} of ${wanted}`);
    assert.ok(full.allocated <= wanted * 1.5, `${full.allocated} of ${wanted}`);
    assert.ok(full.resident >= full.allocated && full.mapped >= full.allocated);
    assert.equal(full.blocks, 200);
    assert.equal(memory.statistics().blocks, 201);
    for (const block of blocks.slice(0, 100)) heap.free(block);
    const half = heap.statistics();
    assert.ok(half.allocated < full.allocated);
    assert.equal(half.blocks, 100);
    heap.destroy();
    for (const block of blocks) {
      assert.equal(block.bytes.length, 0);
      assert.equal(block.live, false);
    }
    assert.throws(() => blocks[150]?.free(), { name: "BlockError", reason: "freed" });
    assert.deepEqual([memory.statistics().blocks, memory.statistics().bytes], [1, 1 << 20]);
    assert.equal(outside.bytes.length, 1 << 20);
    outside.free();
    assert.deepEqual(memory.close(), []);
  });

  test(`${allocator}: what is in a heap is really given back when it is destroyed`, ONCE, () => {
    const memory = openAllocator({ allocator });
    const rounds = effort(6, 20);
    const size = effort(16, 64);
    const peaks: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const heap = memory.heap();
      for (let i = 0; i < size; i++) heap.allocate(1 << 20).bytes.fill(1);
      heap.destroy();
      memory.collect();
      peaks.push(process.memoryUsage().rss);
    }
    // The heaps after the second would have more than three times as much each.
    const most = (peaks[1] ?? 0) + (rounds - 2) * size * 0.3 * 2 ** 20;
    assert.ok((peaks.at(-1) ?? 0) < most, peaks.map(mebibytes).join(" "));
    memory.close();
  });

  test(
    `${allocator}: heaps that are made and destroyed in turn leak nothing`,
    skipUnless(process.platform === "linux", "it reads /proc/self/statm"),
    () => {
      const memory = openAllocator({ allocator, leaks: "off" });
      const use = (): void => {
        const heap = memory.heap();
        heap.allocate(5000).bytes.fill(1);
        heap.destroy();
      };
      for (let warm = 0; warm < 100; warm++) use();
      const before = addressSpace();
      for (let round = 0; round < 1000; round++) use();
      // 2 MiB for each heap would be 2 GiB.
      const grown = addressSpace() - before;
      assert.ok(grown < 2 ** 29, `${mebibytes(grown)} MiB`);
      memory.close();
    },
  );

  test(`${allocator}: a heap's blocks are aligned, resized and freed in it`, () => {
    const memory = openAllocator({ allocator });
    const heap = memory.heap();
    const block = heap.allocate(100, { alignment: 1024, zeroed: true });
    assert.ok(block.bytes.every((byte) => byte === 0));
    block.bytes.fill(8);
    assert.equal(heap.reallocate(block, 100_000), block);
    assert.equal(block.address % 1024, 0);
    assert.ok(block.bytes.subarray(0, 100).every((byte) => byte === 8));
    assert.deepEqual([...heap.allocateFrom("ab", { terminated: true }).bytes], [97, 98, 0]);
    const other = memory.heap();
    assert.throws(() => other.free(block), { name: "BlockError", reason: "foreign" });
    assert.throws(() => memory.free(block), { reason: "foreign" });
    const outside = memory.allocate(5);
    assert.throws(() => heap.free(outside), { reason: "foreign" });
    assert.throws(() => heap.reallocate(outside, 6), { reason: "foreign" });
    assert.throws(() => block.release(), { name: "BlockError", reason: "heap" });
    assert.throws(() => block.transfer(), { reason: "heap" });
    assert.equal(block.live, true);
    outside.free();
    heap.destroy();
    for (const use of [() => heap.allocate(1), () => heap.statistics(), () => heap.destroy()]) {
      assert.throws(use, { name: "ClosedError" }, String(use));
    }
    heap[Symbol.dispose]();
    other[Symbol.dispose]();
    assert.deepEqual(memory.close(), []);
  });

  test(`${allocator}: closing the allocator destroys its heaps, and lists them`, () => {
    const memory = openAllocator({ allocator, leaks: "off" });
    const block = memory.heap().allocate(1000);
    assert.deepEqual(memory.close().map(({ kind, size }) => [kind, size]), [["heap", 1000]]);
    assert.equal(block.bytes.length, 0);
    assert.throws(() => block.free(), { reason: "freed" });
    assert.equal(memory.statistics().bytes, 0);
  });
}

test("a heap lives as long as a block of it, and is closed with its allocator", () => {
  const memory = openAllocator({ leaks: "off" });
  const block = (() => memory.heap().allocate(100))();
  assert.deepEqual(memory.close().map(({ kind, size }) => [kind, size]), [["heap", 100]]);
  assert.equal(block.bytes.length, 0);
});

test("a heap whose block is in use elsewhere leaves its memory allocated", () => {
  for (const allocator of ["jemalloc", "mimalloc"] as const) {
    const memory = openAllocator({ allocator, leaks: "off" });
    const heap = memory.heap();
    const block = heap.allocate(1 << 16);
    block.bytes.fill(7);
    const stolen = new Uint8Array(block.buffer.transfer());
    heap.destroy();
    const next = memory.heap();
    for (let i = 0; i < 20; i++) next.allocate(1 << 16).bytes.fill(9);
    assert.ok(stolen.every((byte) => byte === 7), allocator);
    next.destroy();
    memory.close();
  }
});

test(
  "jemalloc's heaps are as many as it has arenas; one more is refused with the reason",
  ONCE,
  () => {
    const memory = openAllocator({ allocator: "jemalloc", leaks: "off" });
    const heaps: Heap[] = [];
    assert.throws(() => {
      for (let i = 0; i < 5000; i++) heaps.push(memory.heap());
    }, {
      name: "OutOfMemoryError",
      message: /^Cannot make a heap \(there may be at most 4095 at once/,
    });
    heaps.pop()?.destroy();
    memory.heap().destroy();
    assert.equal(memory.close().length, heaps.length);
  },
);

test("heaps that were dropped are collected before the last of jemalloc's arenas is refused", async () => {
  const memory = openAllocator({ allocator: "jemalloc", leaks: "off" });
  // More than there are arenas, and no collector is in a hurry for so little.
  const batches = effort(500, 820);
  for (let batch = 0; batch < batches; batch++) {
    for (let i = 0; i < 10; i++) memory.heap().allocate(10);
    await turn();
  }
  const { leaks } = memory.statistics();
  assert.ok(leaks > batches * 10 - 4200, `${leaks}`);
  assert.ok(memory.close().length < 4096);
});

/** The size of this process's address space, in bytes. */
function addressSpace(): number {
  return Number(readFileSync("/proc/self/statm", "utf8").split(" ")[0]) * 4096;
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)}`;
}
