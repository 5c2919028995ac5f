import assert from "node:assert/strict";
import { test } from "node:test";
import { type Allocator, type ArenaMark, openAllocator } from "../../mod.ts";
import { readBytes } from "../../ffi/symbols/memory.ts";

const NAMES = ["jemalloc", "mimalloc"] as const;

function withAllocator(use: (memory: Allocator) => void): void {
  for (const allocator of NAMES) {
    const memory = openAllocator({ allocator });
    use(memory);
    assert.deepEqual(memory.close(), []);
    assert.equal(memory.statistics().bytes, 0, allocator);
  }
}

test("allocations of an arena are apart, aligned, and keep what is written to them", () => {
  withAllocator((memory) => {
    const arena = memory.arena({ chunkSize: 1024 });
    const views: (readonly [Uint8Array, number])[] = [];
    for (let i = 0; i < 500; i++) {
      const alignment = [1, 8, 16, 64, 512, 4096][i % 6];
      const view = arena.allocate((i * 37) % 300, { alignment });
      assert.equal(arena.addressOf(view) % (alignment ?? 1), 0, `${i}`);
      view.fill(i % 251);
      views.push([view, arena.addressOf(view)]);
    }
    for (const [i, [view, address]] of views.entries()) {
      assert.ok(view.every((byte) => byte === i % 251), `allocation ${i}`);
      assert.deepEqual(readBytes(address as never, view.length), Uint8Array.from(view));
    }
    const sorted = views.map(([view, address]) => [address, address + view.length] as const)
      .filter(([from, to]) => to > from).sort(([a], [b]) => a - b);
    for (let i = 1; i < sorted.length; i++) {
      assert.ok((sorted[i]?.[0] ?? 0) >= (sorted[i - 1]?.[1] ?? 0), "no two overlap");
    }
    arena.free();
    for (const [view] of views) assert.equal(view.length, 0);
  });
});

test("an arena takes the options that its allocator takes, in the same way", () => {
  withAllocator((memory) => {
    const arena = memory.arena({ chunkSize: 4096 });
    const string = arena.allocateFrom("ab", { terminated: true });
    assert.deepEqual([...string], [97, 98, 0]);
    assert.deepEqual([...arena.allocateFrom("", { terminated: true })], [0]);
    assert.deepEqual([...arena.allocateFrom("ab", { terminated: false })], [97, 98]);
    arena.allocate(2000).fill(0xff);
    arena.reset();
    assert.ok(arena.allocate(1000, { zeroed: true }).every((byte) => byte === 0));
    assert.ok(arena.view(Int32Array, 100, { zeroed: true }).every((value) => value === 0));
    assert.equal(arena.view(Uint8Array, 4, { zeroed: false }).length, 4);
    for (const alignment of [1, 64, 4096, 65_536, 2 ** 20]) {
      for (
        const view of [
          arena.allocate(100, { alignment }),
          arena.view(Float64Array, 3, { alignment }),
          arena.allocateFrom("text", { alignment, terminated: true }),
        ]
      ) {
        assert.equal(arena.addressOf(view) % alignment, 0, `${alignment}`);
      }
    }
    arena.free();
  });
});

test("views of every type come aligned, and bytes and strings are copied in", () => {
  withAllocator((memory) => {
    const arena = memory.arena();
    arena.allocate(1);
    const types = [Int8Array, Uint16Array, Float32Array, Float64Array, BigUint64Array] as const;
    for (const type of types) {
      const view = arena.view(type, 5);
      assert.ok(view instanceof type);
      assert.equal(view.byteLength, 5 * type.BYTES_PER_ELEMENT);
      assert.equal(arena.addressOf(view) % type.BYTES_PER_ELEMENT, 0);
      arena.allocate(3);
    }
    assert.equal(arena.view(DataView, 7).byteLength, 7);
    assert.equal(arena.view(Float64Array, 20_000).length, 20_000, "larger than a chunk");
    assert.deepEqual([...arena.allocateFrom("é")], [0xc3, 0xa9]);
    assert.deepEqual([...arena.allocateFrom(Uint16Array.of(258))], [2, 1]);
    assert.equal(arena.allocate(0).length, 0);
    arena.free();
  });
});

test("a reset ends every view, keeps the chunks, and the memory is used again", () => {
  withAllocator((memory) => {
    const arena = memory.arena({ chunkSize: 4096 });
    const addresses = new Set<number>();
    for (let round = 0; round < 10; round++) {
      const views = Array.from({ length: 100 }, () => arena.allocate(100));
      addresses.add(arena.addressOf(views[0] as Uint8Array));
      const single = arena.allocate(1 << 20);
      const { chunks, capacity, used, allocations } = arena.statistics();
      assert.equal(allocations, 101);
      assert.ok(used >= 100 * 100 + (1 << 20) && used <= capacity, `${used} of ${capacity}`);
      arena.reset();
      for (const view of [...views, single]) assert.equal(view.length, 0);
      const after = arena.statistics();
      assert.equal(after.chunks, chunks - 1, "the single one is gone");
      assert.equal(after.capacity, capacity - (1 << 20));
      assert.deepEqual([after.used, after.allocations, after.peak], [0, 0, used]);
    }
    assert.equal(addresses.size, 1);
    arena.free();
  });
});

test("chunks grow to twice the size before, and to a megabyte", () => {
  withAllocator((memory) => {
    const arena = memory.arena({ chunkSize: 1024 });
    const capacities = [0];
    while ((capacities.at(-1) ?? 0) < 4 << 20) {
      arena.allocate(1000);
      const { capacity } = arena.statistics();
      if (capacity !== capacities.at(-1)) capacities.push(capacity);
    }
    const sizes = capacities.slice(1).map((capacity, i) => capacity - (capacities[i] ?? 0));
    const doubling = sizes.map((_, i) => Math.min(1024 * 2 ** i, 1 << 20));
    assert.deepEqual(sizes, doubling);
    arena.free();
  });
});

test("rewinding to a mark ends what came after it and nothing before", () => {
  withAllocator((memory) => {
    const arena = memory.arena({ chunkSize: 1024 });
    const before = arena.allocate(100).fill(1);
    const outer = arena.mark();
    const between = Array.from({ length: 30 }, () => arena.allocate(100).fill(2));
    const inner = arena.mark();
    const after = [arena.allocate(10), arena.allocate(5000), arena.view(Float64Array, 4)];
    const { used } = inner;
    arena.rewind(inner);
    for (const view of after) assert.equal(view.length, 0);
    for (const view of [before, ...between]) assert.equal(view.length, 100);
    assert.equal(arena.statistics().used, used);
    assert.equal(arena.statistics().allocations, 31);
    assert.equal(arena.allocate(50).fill(9).length, 50, "and it goes on from there");
    arena.rewind(inner);
    assert.ok(between.every((view) => view.every((byte) => byte === 2)), "nothing was overwritten");
    arena.rewind(outer);
    for (const view of between) assert.equal(view.length, 0);
    assert.deepEqual(before, new Uint8Array(100).fill(1));
    arena.rewind(outer);
    assert.throws(() => arena.rewind(inner), { name: "BlockError", reason: "stale" });
    arena.reset();
    assert.equal(before.length, 0);
    assert.throws(() => arena.rewind(outer), { reason: "stale" });
    const other = memory.arena();
    assert.throws(() => arena.rewind(other.mark()), { reason: "stale" });
    assert.throws(() => arena.rewind({ used: 0 } as ArenaMark), { reason: "stale" });
    other.free();
    arena.free();
  });
});

test("a mark in an empty arena rewinds to an empty arena", () => {
  withAllocator((memory) => {
    const arena = memory.arena();
    const mark = arena.mark();
    for (let round = 0; round < 3; round++) {
      const view = arena.allocate(100);
      arena.rewind(mark);
      assert.equal(view.length, 0);
      assert.equal(arena.statistics().used, 0);
    }
    arena.free();
  });
});

test("an arena refuses bad sizes and alignments, foreign views, and use after its end", () => {
  withAllocator((memory) => {
    const arena = memory.arena();
    const view = arena.allocate(8);
    for (const size of [-1, -(2 ** 31), 0.5, NaN, Infinity, 2 ** 47 + 1]) {
      assert.throws(() => arena.allocate(size), RangeError, String(size));
      assert.throws(() => arena.view(Uint8Array, size), RangeError, String(size));
    }
    for (const alignment of [0, 3, -8, 2 ** 31, 0.5, NaN]) {
      assert.throws(() => arena.allocate(8, { alignment }), RangeError, String(alignment));
      assert.throws(() => arena.view(Int8Array, 8, { alignment }), RangeError);
      assert.throws(() => arena.allocateFrom("x", { alignment }), RangeError);
    }
    for (const wrong of [64, null, [], { zero: true }, { zeroed: 1 }, { terminated: true }]) {
      assert.throws(() => arena.allocate(8, wrong as never), TypeError, JSON.stringify(wrong));
      assert.throws(() => arena.view(Int8Array, 8, wrong as never), TypeError);
    }
    for (const wrong of [64, null, { zeroed: true }, { terminated: 1 }, { end: true }]) {
      assert.throws(() => arena.allocateFrom("x", wrong as never), TypeError);
    }
    assert.equal(arena.statistics().allocations, 1, "nothing of it has taken any memory");
    assert.throws(() => arena.allocate("8" as unknown as number), TypeError);
    assert.throws(() => arena.view(Array as unknown as typeof Uint8Array, 1), TypeError);
    assert.throws(() => arena.addressOf(new Uint8Array(8)), { name: "BlockError" });
    assert.throws(() => arena.addressOf(8 as unknown as Uint8Array), TypeError);
    for (const chunkSize of [0, 1023, 2 ** 30 + 1, 2000.5, NaN]) {
      assert.throws(() => memory.arena({ chunkSize }), RangeError);
    }
    assert.throws(() => memory.arena({ size: 5 } as never), TypeError);
    arena.free();
    assert.equal(view.length, 0);
    const closed = { name: "ClosedError", code: "ERR_OFFHEAP_CLOSED" };
    const uses = [
      () => arena.allocate(1),
      () => arena.view(Uint8Array, 1),
      () => arena.mark(),
      () => arena.reset(),
      () => arena.free(),
    ];
    for (const use of uses) assert.throws(use, closed, String(use));
    arena[Symbol.dispose]();
  });
});

test("an arena refuses a size of another type in its own words", () => {
  const memory = openAllocator();
  const arena = memory.arena();
  arena.allocate(8);
  for (const bad of [8n, "8", Symbol("8"), null, undefined, true, {}]) {
    for (
      const use of [() => arena.allocate(bad as number), () => arena.view(Int8Array, bad as 8)]
    ) {
      assert.throws(use, {
        name: "TypeError",
        message: /^Cannot allocate in an arena: the .*; got /,
      });
    }
  }
  arena.free();
  memory.close();
});

test("an arena's buffer that something else detached is not used again", () => {
  const memory = openAllocator({ leaks: "off" });
  const arena = memory.arena();
  const view = arena.allocate(100).fill(7);
  const [first, second] = [arena.allocate(8), arena.view(DataView, 8)];
  assert.equal(arena.addressOf(second) - arena.addressOf(first), 8);
  const stolen = view.buffer.transfer();
  for (const lost of [view, first, second]) {
    assert.throws(() => arena.addressOf(lost), { name: "BlockError", reason: "detached" });
  }
  assert.throws(() => arena.reset(), { name: "BlockError", reason: "detached" });
  assert.throws(() => arena.free(), { reason: "detached" });
  assert.deepEqual(memory.close().map(({ kind }) => kind), ["arena"]);
  assert.equal(new Uint8Array(stolen)[99], 7, "its memory stays allocated");
});

test("closing the allocator ends its arenas, and lists them", () => {
  const memory = openAllocator({ leaks: "off" });
  const arena = memory.arena();
  const view = arena.allocate(10);
  assert.deepEqual(memory.close().map(({ kind, size }) => [kind, size]), [["arena", 65_536]]);
  assert.equal(view.length, 0);
  assert.throws(() => arena.allocate(1), { name: "ClosedError" });
  assert.throws(() => memory.arena(), { name: "ClosedError" });
});
