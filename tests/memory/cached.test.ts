import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { type Address, type Allocator, openAllocator } from "../../mod.ts";
import { ffi } from "../../ffi/mod.ts";
import {
  CLASS_CAPACITIES,
  CLASS_SIZES,
  classOf,
  MAX_CACHED,
} from "../../lib/memory/cached/size-classes.ts";
import { effort } from "../support/effort.ts";
import { FIXTURES, runChild, runtimeCommand } from "../support/runtime.ts";

const NAMES = ["jemalloc", "mimalloc", "system"] as const;

function withAllocator(use: (memory: Allocator) => void, debug = false): void {
  for (const allocator of NAMES) {
    const memory = openAllocator({ allocator, debug });
    use(memory);
    memory.close();
  }
}

/** Looks into native memory. */
function peek<R>(address: Address, size: number, use: (bytes: Uint8Array) => R): R {
  const buffer = ffi().wrap(address, size);
  try {
    return use(new Uint8Array(buffer));
  } finally {
    buffer.transfer(0);
  }
}

test("the size classes cover every size with at most a quarter more, within their bounds", () => {
  assert.equal(CLASS_SIZES[0], 16);
  assert.equal(CLASS_SIZES.at(-1), MAX_CACHED);
  for (const [index, size] of CLASS_SIZES.entries()) {
    const before = CLASS_SIZES[index - 1] ?? 0;
    assert.equal(size % 16, 0);
    if (index < 2) assert.equal(size, 16, "the first is that of size 0");
    else assert.ok(size > before && size <= Math.max(before + 16, before * 1.25), `${size}`);
  }
  const bytes = CLASS_SIZES.reduce((sum, size, i) => sum + size * (CLASS_CAPACITIES[i] ?? 0), 0);
  assert.ok(bytes <= 4 * 2 ** 20, `${bytes}`);
  for (let size = 0; size <= MAX_CACHED; size++) {
    const index = classOf(size);
    const [own = 0, smaller = 0] = [CLASS_SIZES[index], CLASS_SIZES[index - 1]];
    assert.ok(own >= size && (index < 2 || smaller < size), `${size} in the class of ${own}`);
    if (size <= 1024) assert.equal(index, Math.ceil(size / 16));
  }
  assert.ok(CLASS_CAPACITIES.every((capacity) => capacity >= 2 && capacity <= 63));
});

test("blocks of all sizes are apart and are as large as they have to be", () => {
  withAllocator(({ cached }) => {
    const sizes = [0, 1, 15, 16, 17, 100, 128, 129, 1024, 1025, 32_767, 32_768, 32_769, 1 << 20];
    const all: [Address, number][] = [];
    for (let round = 0; round < 60; round++) {
      for (const size of sizes) all.push([cached.malloc(size), size]);
    }
    const sorted = all.toSorted(([a], [b]) => a - b);
    for (const [i, [address, size]] of sorted.entries()) {
      assert.ok(cached.usableSize(address) >= size);
      const next = sorted[i + 1]?.[0] ?? Infinity;
      assert.ok(address + Math.max(1, size) <= next, "no two overlap");
    }
    for (const [address, size] of all) cached.free(address, size);
  });
});

/** Of each class: more than a magazine holds, twice. */
const BLOCKS = effort(150, 1000);

test("a pair crosses into native code only now and then, and magazines are bounded", () => {
  withAllocator((memory) => {
    const { cached } = memory;
    for (let i = 0; i < 10_000; i++) cached.free(cached.malloc(64), 64);
    assert.equal(cached.statistics().refills, 1);
    assert.equal(cached.statistics().drains, 0);
    for (const size of CLASS_SIZES) {
      const all = Array.from({ length: BLOCKS }, () => cached.malloc(size));
      assert.equal(new Set(all).size, BLOCKS);
      for (const address of all) cached.free(address, size);
    }
    const { blocks, bytes, drains, live } = cached.statistics();
    assert.ok(blocks > 0 && bytes <= 4 * 2 ** 20 && drains > 0, `${blocks} ${bytes} ${drains}`);
    assert.equal(live, null);
    memory.collect();
    assert.equal(cached.statistics().blocks, 0);
    assert.equal(cached.statistics().bytes, 0);
    cached.free(cached.malloc(64), 64);
  });
});

test("calloc gives zeros, also from memory that was used before", () => {
  withAllocator(({ cached, raw }) => {
    for (const [count, size] of [[4, 16], [1, 1000], [0, 8], [10, 10_000]] as const) {
      const bytes = count * size;
      for (let round = 0; round < 10; round++) {
        const address = cached.calloc(count, size);
        peek(address, Math.max(1, bytes), (view) => {
          if (bytes > 0) assert.ok(view.every((byte) => byte === 0), `${count} of ${size}`);
          view.fill(0xff);
        });
        cached.free(address, bytes);
      }
    }
    const address = raw.calloc(10, 100);
    peek(address, 1000, (view) => assert.ok(view.every((byte) => byte === 0)));
    raw.free(address);
    for (const [count, size] of [[2 ** 40, 2 ** 40], [-1, 1], [1, -1], [0.5, 2]] as const) {
      assert.throws(() => cached.calloc(count, size), RangeError, `${count} of ${size}`);
    }
  });
});

test("realloc keeps what fits, within a class, between classes, and beyond them", () => {
  withAllocator(({ cached, raw }) => {
    const sizes = [20, 30, 32, 33, 5000, 40_000, effort(300_000, 3_000_000), 50_000, 100, 1];
    for (const realloc of [cached.realloc.bind(cached), rawRealloc]) {
      let size = 10;
      let address = cached.malloc(size);
      for (const next of sizes) {
        peek(address, size, (view) => view.forEach((_, i) => view[i] = i % 251));
        address = realloc(address, size, next);
        const kept = Math.min(size, next);
        peek(address, kept, (view) => assert.ok(view.every((byte, i) => byte === i % 251)));
        size = next;
      }
      raw.free(address);
    }
    function rawRealloc(address: Address, _: number, size: number): Address {
      return raw.realloc(address, size);
    }
    const fresh = cached.realloc(0 as Address, 0, 50);
    assert.notEqual(fresh, 0);
    cached.free(fresh, 50);
    cached.free(0 as Address, 50);
    assert.throws(() => cached.realloc(fresh, -1, 5), RangeError);
    assert.throws(() => cached.realloc(fresh, 5, NaN), RangeError);
  });
});

test("the C functions have no memory of a size that is no size, and leave a block as it was", () => {
  withAllocator(({ raw }) => {
    const address = raw.malloc(8);
    peek(address, 8, (view) => view.fill(7));
    for (const size of [NaN, -1, -Infinity, 2 ** 53, 2 ** 63, 2 ** 64, Infinity]) {
      assert.equal(raw.malloc(size), 0, `${size}`);
      assert.equal(raw.calloc(size, 1), 0, `${size}`);
      assert.equal(raw.calloc(2, size), 0, `${size}`);
      assert.equal(raw.realloc(address, size), 0, `${size}`);
      assert.equal(raw.alignedAlloc(64, size), 0, `${size}`);
    }
    peek(address, 8, (view) => assert.ok(view.every((byte) => byte === 7)));
    raw.free(address);
  });
});

test("cached memory refuses a size of another type in its own words", () => {
  withAllocator(({ cached }) => {
    const address = cached.malloc(48);
    for (const bad of [48n, "48", Symbol("48"), null, undefined, true, {}]) {
      const size = bad as number;
      for (const use of [() => cached.malloc(size), () => cached.free(address, size)]) {
        assert.throws(use, { name: "TypeError", message: /^Cannot .* the size must be .*; got / });
      }
    }
    cached.free(address, 48);
  });
});

test("aligned memory is aligned, and may go through a magazine when it is freed", () => {
  withAllocator(({ cached, raw }) => {
    for (const alignment of [16, 64, 4096, 65_536]) {
      for (const size of [1, 100, 5000, 100_000]) {
        const address = cached.alignedAlloc(alignment, size);
        assert.equal(address % alignment, 0);
        assert.ok(cached.usableSize(address) >= size);
        cached.free(address, size);
        const plain = cached.malloc(size);
        peek(plain, size, (view) => view.fill(1));
        cached.free(plain, size);
      }
      const address = raw.alignedAlloc(alignment, alignment * 2);
      assert.equal(address % alignment, 0);
      assert.ok(raw.usableSize(address) >= alignment * 2);
      raw.free(address);
    }
  });
});

test("in debug mode a wrong address, a wrong size and a second free are errors", () => {
  withAllocator(({ cached, raw }) => {
    const address = cached.malloc(100);
    const second = cached.calloc(10, 10);
    const third = cached.alignedAlloc(64, 100);
    assert.equal(cached.statistics().live, 3);
    assert.throws(() => cached.free(address, 99), { name: "BlockError", reason: "size" });
    assert.throws(() => cached.realloc(address, 101, 5), { reason: "size" });
    const moved = cached.realloc(address, 100, 5000);
    assert.throws(() => cached.free(address, 100), { reason: "freed" });
    cached.free(moved, 5000);
    for (
      const attempt of [
        () => cached.free(moved, 5000),
        () => cached.realloc(moved, 5000, 1),
        () => cached.usableSize(moved),
      ]
    ) {
      assert.throws(attempt, { name: "BlockError", reason: "freed", message: /0x[0-9a-f]+/ });
    }
    const large = cached.malloc(2 ** 20);
    const larger = cached.realloc(large, 2 ** 20, 2 ** 26);
    assert.equal(cached.statistics().live, 3, "what was moved is not in use where it was");
    cached.free(larger, 2 ** 26);
    const foreignAddress = raw.malloc(100);
    assert.throws(() => cached.free(foreignAddress, 100), { reason: "freed" });
    raw.free(foreignAddress);
    cached.free(second, 100);
    cached.free(third, 100);
    cached.free(0 as Address, 1);
    assert.equal(cached.statistics().live, 0);
  }, true);
});

test("after the allocator is closed neither interface calls native code", () => {
  for (const debug of [false, true]) {
    const memory = openAllocator({ debug });
    const { raw, cached } = memory;
    const { malloc, free } = raw;
    const address = cached.malloc(64);
    const waiting = cached.malloc(64);
    cached.free(waiting, 64);
    raw.free(raw.malloc(5));
    memory.close();
    const closed = { name: "ClosedError", code: "ERR_OFFHEAP_CLOSED" };
    const uses = [
      () => cached.malloc(64),
      () => cached.malloc(100_000),
      () => cached.free(address, 64),
      () => cached.calloc(1, 64),
      () => cached.realloc(address, 64, 100),
      () => cached.alignedAlloc(16, 64),
      () => cached.usableSize(address),
      () => raw.malloc(1),
      () => raw.free(address),
      () => raw.usableSize(address),
    ];
    for (const use of uses) assert.throws(use, closed, String(use));
    assert.equal(cached.statistics().blocks, 0);
    assert.throws(() => memory.allocate(1), closed);
    assert.throws(() => memory.collect(), closed);
    assert.throws(() => memory.pool({ blockSize: 1 }), closed);
    assert.throws(() => memory.heap(), closed);
    assert.throws(() => memory.close(), closed);
    memory[Symbol.dispose]();
    assert.equal(typeof malloc, "function");
    assert.equal(typeof free, "function");
  }
  const unused = openAllocator();
  unused.close();
  assert.throws(() => unused.cached, { name: "ClosedError" });
});

test("magazines are empty when a process exits, and can still be used by later handlers", async () => {
  const script = join(FIXTURES, "cached-exit.ts");
  const { status, stdout, stderr } = await runChild(runtimeCommand(script));
  assert.equal(status, 0, stderr);
  assert.equal(stdout, "32 0 true\n");
});
