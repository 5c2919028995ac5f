import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { promisify } from "node:util";
import { libcLibrary } from "../../ffi/symbols/libc.ts";
import { readBytes } from "../../ffi/symbols/memory.ts";
import { ffi } from "../../ffi/mod.ts";
import { type Allocator, openAllocator } from "../../mod.ts";
import { skipUnless } from "../support/skip.ts";

const held = { name: "BlockError", reason: "held" };

/** A native call that goes on until it is told to end. */
function startCall(): { readonly call: Promise<string>; readonly end: () => void } {
  let end = (): void => {};
  const call = new Promise<string>((resolve) => {
    end = () => resolve("done");
  });
  return { call, end };
}

type Strlen = (pointer: unknown) => Promise<unknown>;

/** The C library's `strlen` in another thread, by the runtime's own FFI; `null` where it has none. */
function asynchronousStrlen(): Strlen | null {
  const { backend } = ffi();
  if (backend === "Deno.dlopen") {
    const deno = Reflect.get(globalThis, "Deno") as unknown as {
      dlopen(path: string | null, table: object): { symbols: { strlen: Strlen } };
    };
    const strlen = { parameters: ["pointer"], result: "usize", nonblocking: true };
    return deno.dlopen(libcLibrary(), { strlen }).symbols.strlen;
  }
  if (backend !== "koffi") return null;
  const koffi = createRequire(import.meta.url)("koffi") as {
    load(
      path: string | null,
    ): { func(declaration: string): { async: (...args: unknown[]) => void } };
  };
  const { async } = koffi.load(libcLibrary()).func("size_t strlen(void *text)");
  return promisify(async) as Strlen;
}

/** Fills all that is free of a size, and gives it back: what was freed too early is overwritten. */
function disturb(memory: Allocator, size: number): void {
  memory.collect();
  const blocks = Array.from({ length: 64 }, () => memory.allocate(size));
  for (const block of blocks) block.bytes.fill(0xdd);
  for (const block of blocks) block.free();
}

test("a block that is freed while a call uses it ends its views at once, and its memory later", async () => {
  for (const allocator of ["jemalloc", "mimalloc"] as const) {
    for (const how of ["free", "dispose", "close"] as const) {
      const memory = openAllocator({ allocator, leaks: "off" });
      const other = openAllocator({ allocator });
      const block = memory.allocate(5000);
      const { bytes, address } = block;
      bytes.fill(7);
      const { call, end } = startCall();
      const result = block.hold(call);
      if (how === "free") block.free();
      else if (how === "dispose") block[Symbol.dispose]();
      else assert.equal(memory.close().length, 1);
      assert.equal(bytes.length, 0);
      assert.equal(block.live, false);
      assert.equal(memory.statistics().blocks, 0);
      disturb(other, 5000);
      assert.ok(readBytes(address, 5000).every((byte) => byte === 7), `${allocator}, ${how}`);
      end();
      assert.equal(await result, "done");
      other.close();
      memory[Symbol.dispose]();
    }
  }
});

const strlen = asynchronousStrlen();
test(
  "a native function that runs in another thread finds the memory that was freed meanwhile",
  skipUnless(strlen !== null, "this runtime's FFI has no asynchronous calls"),
  async () => {
    const memory = openAllocator();
    for (let round = 0; round < 20; round++) {
      const block = memory.allocateFrom("x".repeat(1_000_000), { terminated: true });
      const length = block.hold(strlen?.(block.pointer) ?? Promise.reject(new Error("none")));
      block.free();
      const next = memory.allocate(1_000_001, { zeroed: true });
      assert.equal(Number(await length), 1_000_000);
      next.free();
    }
    assert.deepEqual(memory.close(), []);
  },
);

test("what a call uses is not released, transferred or resized; afterwards it is", async () => {
  const memory = openAllocator();
  const block = memory.allocate(100);
  const [first, second] = [startCall(), startCall()];
  const results = [block.hold(first.call), block.hold(second.call)];
  const uses = [
    () => block.release(),
    () => block.transfer(),
    () => memory.reallocate(block, 200),
  ];
  for (const use of uses) {
    assert.throws(use, { ...held, message: /an asynchronous call that was given to hold\(\)/ });
  }
  first.end();
  await results[0];
  assert.throws(() => block.release(), held, "the second call goes on");
  assert.equal(block.bytes.length, 100);
  second.end();
  await results[1];
  assert.equal(memory.reallocate(block, 200).size, 200);
  memory.claim(block.transfer()).free();
  assert.throws(() => block.hold(Promise.resolve()), { reason: "transferred" });
  memory.close();
});

test("a call that fails ends its hold, and its error is the caller's", async () => {
  const memory = openAllocator();
  const block = memory.allocate(100);
  const error = new Error("the call has failed");
  await assert.rejects(block.hold(Promise.reject(error)), error);
  memory.raw.free(block.release());
  const other = memory.allocate(1);
  for (const wrong of [undefined, null, 5, {}, () => {}]) {
    assert.throws(() => other.hold(wrong as never), TypeError);
  }
  assert.equal(
    await other.hold({ then: (resolve: (value: number) => void) => resolve(5) } as never),
    5,
  );
  memory.raw.free(other.release());
  memory.close();
});

test("a lease that is released while a call uses it goes to nobody before the call has ended", async () => {
  for (const strict of [false, true]) {
    const memory = openAllocator();
    const pool = memory.pool({ blockSize: 4096, max: 1, strict });
    const lease = pool.acquire();
    const { address } = lease;
    const { call, end } = startCall();
    const result = lease.hold(call);
    lease.release();
    assert.throws(() => lease.hold(call), { reason: "released" });
    assert.throws(() => pool.acquire(), { name: "PoolExhaustedError" });
    const waiting = pool.wait();
    await turn();
    assert.equal(pool.statistics().waiting, 1);
    end();
    await result;
    const next = await waiting;
    assert.equal(next.address, address);
    next.release();
    // Closed while a call goes on: nothing comes back then.
    const last = pool.acquire();
    const late = startCall();
    const outcome = last.hold(late.call);
    last.release();
    pool.close();
    late.end();
    await outcome;
    assert.deepEqual(memory.close(), []);
  }
});

test("an arena that a call uses is not reset or rewound, and keeps its chunks until the end", async () => {
  const memory = openAllocator();
  const arena = memory.arena({ chunkSize: 4096 });
  const views = [arena.allocate(1000).fill(7), arena.allocate(100_000).fill(7)] as const;
  const places = views.map((view) => [arena.addressOf(view), view.length] as const);
  const mark = arena.mark();
  const { call, end } = startCall();
  const result = arena.hold(call);
  assert.throws(() => arena.reset(), held);
  assert.throws(() => arena.rewind(mark), held);
  assert.equal(views[0].length, 1000);
  arena.free();
  assert.equal(views[0].length + views[1].length, 0);
  disturb(memory, 4096);
  disturb(memory, 100_000);
  for (const [address, length] of places) {
    assert.ok(readBytes(address, length).every((byte) => byte === 7));
  }
  end();
  await result;
  assert.equal(memory.statistics().blocks, 0);
  assert.throws(() => arena.hold(call), { name: "ClosedError" });
  const next = memory.arena();
  await next.hold(Promise.resolve());
  next.reset();
  next.free();
  memory.close();
});

test("a heap that is destroyed while a call uses a block of it stays until the call has ended", async () => {
  for (const allocator of ["jemalloc", "mimalloc"] as const) {
    const memory = openAllocator({ allocator });
    const heap = memory.heap();
    const block = heap.allocate(5000);
    block.bytes.fill(7);
    const { address } = block;
    const { call, end } = startCall();
    const result = block.hold(call);
    heap.destroy();
    assert.equal(block.live, false);
    const next = memory.heap();
    for (let i = 0; i < 50; i++) next.allocate(5000).bytes.fill(0xdd);
    assert.ok(readBytes(address, 5000).every((byte) => byte === 7), allocator);
    next.destroy();
    end();
    await result;
    memory.close();
  }
});
