import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { openAllocator } from "../../mod.ts";
import { ffi, runtimeInfo } from "../../ffi/mod.ts";
import { inTurn } from "../support/effort.ts";
import { FIXTURES, runChild, runtimeCommand } from "../support/runtime.ts";
import { type Skipping, skipUnless } from "../support/skip.ts";

const onLinux = (): Skipping => skipUnless(process.platform === "linux", "prlimit is Linux's");
const SIZE = 512 * 2 ** 20;

for (const allocator of inTurn("jemalloc", "mimalloc", "system")) {
  test(
    `${allocator}: without memory every interface says so, and all else goes on`,
    onLinux(),
    async () => {
      const script = join(FIXTURES, "out-of-memory.ts");
      const { status, stdout, stderr } = await runChild(runtimeCommand(script, allocator), {
        // mimalloc reserves a gigabyte of addresses ahead from 2.1 on, which the limit would not see.
        variables: { MIMALLOC_ARENA_RESERVE: "0" },
      });
      assert.equal(status, 0, stderr);
      const { count, name, message, failures, raw, bytes, open } = JSON.parse(stdout);
      assert.ok(count >= 3 && count <= 7, `${count} blocks in room for 7.5`);
      assert.equal(name, "OutOfMemoryError");
      assert.match(
        message,
        /^Cannot allocate a block of 67108864 bytes, aligned to 64: the system gives no more memory\./,
      );
      const code = "ERR_OFFHEAP_OUT_OF_MEMORY";
      const expected = { name, code, size: SIZE, alignment: 16 };
      assert.deepEqual(failures, {
        block: { ...expected, alignment: 4096 },
        zeroed: expected,
        reallocate: expected,
        arena: { ...expected, alignment: 64 },
        pool: expected,
        cached: expected,
        calloc: expected,
        aligned: { ...expected, alignment: 64 },
      });
      assert.deepEqual(raw, [0, 0, 0], "C's way is NULL");
      assert.deepEqual([bytes, open], [0, 0]);
    },
  );
}

test("sizes beyond what the system has are out of memory, and no size is too large to be refused", () => {
  for (const allocator of ["jemalloc", "mimalloc", "system"] as const) {
    const memory = openAllocator({ allocator });
    for (const size of [2 ** 47 - 4096, 2 ** 47]) {
      assert.throws(() => memory.allocate(size), { name: "OutOfMemoryError", size }, `${size}`);
    }
    assert.deepEqual([memory.raw.malloc(-1), memory.raw.malloc(2 ** 62)], [0, 0]);
    assert.deepEqual(memory.close(), []);
  }
});

test("a size that this runtime's buffers cannot have is refused, and a block stays as it was", () => {
  // Bun's ArrayBuffers end at 2^32 bytes; the others take all that the allocator gives.
  const limited = runtimeInfo().name === "bun";
  for (const allocator of ["jemalloc", "mimalloc"] as const) {
    const memory = openAllocator({ allocator });
    const arena = memory.arena();
    for (const size of [2 ** 32, 2 ** 33]) {
      const block = memory.allocateFrom("kept");
      const tries = [
        () => memory.allocate(size).free(),
        () => arena.allocate(size),
        () => memory.reallocate(block, size),
      ];
      for (const attempt of tries) {
        if (!limited || size === 2 ** 32) attempt();
        else {
          assert.throws(attempt, {
            name: "RangeError",
            message: /^Cannot see 8589934592 bytes of native memory as one ArrayBuffer/,
          });
        }
      }
      assert.equal(new TextDecoder().decode(block.bytes.subarray(0, 4)), "kept");
      block.free();
      arena.reset();
    }
    arena.free();
    const { peakBytes, allocations } = memory.statistics();
    // The first block, which tells whether all is permitted, then three for each size that is had.
    assert.equal(allocations, limited ? 1 + 3 + 1 : 1 + 6, "what was refused does not count");
    assert.equal(peakBytes, limited ? 2 ** 33 : 2 ** 34, "the arena's and the block's at once");
    assert.deepEqual(memory.close(), []);
    assert.equal(memory.statistics().bytes, 0);
  }
});

test("an allocator that is opened again binds nothing of its library again", (t) => {
  for (const allocator of ["jemalloc", "mimalloc", "system"] as const) {
    const use = (): void => {
      const memory = openAllocator({ allocator });
      memory.allocate(8).free();
      if (allocator !== "system") memory.heap().destroy();
      memory.collect();
      memory.close();
    };
    use();
    const open = t.mock.method(ffi(), "open");
    use();
    assert.deepEqual(open.mock.calls.map((call) => call.arguments[0]), [], allocator);
    open.mock.restore();
  }
});
