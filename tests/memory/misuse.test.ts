/**
 * What a careless or hostile program passes in: it is refused in our own words, and nothing of it is
 * kept.
 *
 * @module
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { runInNewContext } from "node:vm";
import { type Address, type BlockHandle, openAllocator, type ViewConstructor } from "../../mod.ts";

const NO_ADDRESS = [undefined, NaN, -1, "x", {}];

/** A bad argument's refusal, as it is documented. */
const FORM = /^(Type|Range)Error: Cannot .+ must .+; got .+$/s;

function refused(call: () => unknown, what = ""): void {
  assert.throws(call, (error) => FORM.test(String(error)) || assert.fail(`${what}: ${error}`));
}

test("the functions with magazines refuse what is no address, and none keeps it", () => {
  for (const debug of [false, true]) {
    const memory = openAllocator({ debug });
    const { cached } = memory;
    for (const bad of NO_ADDRESS as Address[]) {
      for (const size of [48, 4096, 2 ** 20]) refused(() => cached.free(bad, size), "cached.free");
      refused(() => cached.realloc(bad, 8, 4096), "cached.realloc");
      refused(() => cached.usableSize(bad), "cached.usableSize");
    }
    cached.free(0 as Address, 48);
    assert.ok(cached.malloc(48) > 0);
    memory.close();
  }
});

test("an arena whose buffer something else has says so at every allocation", () => {
  const memory = openAllocator({ leaks: "off" });
  const arena = memory.arena();
  arena.allocate(8).buffer.transfer();
  for (
    const call of [
      () => arena.allocate(8),
      () => arena.allocate(8, { zeroed: true }),
      () => arena.view(Float64Array, 1),
      () => arena.view(Float64Array, 1, {}),
      () => arena.allocateFrom("x"),
    ]
  ) assert.throws(call, { name: "BlockError", reason: "detached" });
  memory.close();
});

test("a view's type may throw an error of its own in an arena", () => {
  class Failing extends Uint8Array {
    constructor() {
      super(0);
      throw new Error("its own");
    }
  }
  const memory = openAllocator({ leaks: "off" });
  const arena = memory.arena();
  arena.allocate(8);
  assert.throws(() => arena.view(Failing, 1), /^Error: its own$/);
  memory.close();
});

test("a type whose elements have no size does not move an arena's position", () => {
  const memory = openAllocator({ leaks: "off" });
  const arena = memory.arena();
  arena.allocate(8);
  const { used } = arena.statistics();
  for (const size of [-8, 0, 0.5, NaN, "8", null]) {
    class Odd extends Uint8Array {
      static override readonly BYTES_PER_ELEMENT = size as 1;
    }
    const type: ViewConstructor = Odd;
    refused(() => arena.view(type, 0), "view");
    refused(() => memory.allocate(64, { managed: true }).as(type), "as");
  }
  assert.equal(arena.statistics().used, used);
  memory.close();
});

test("a handle whose numbers are none is refused, and can still be claimed", () => {
  const memory = openAllocator();
  const pool = memory.pool({ blockSize: 8 });
  const handle = memory.allocate(8).transfer();
  for (const name of ["ticket", "secret", "process", "size"] as const) {
    for (const bad of [String(handle[name]), BigInt(handle[name]), Symbol("s"), {}, undefined]) {
      const given = { ...handle, [name]: bad } as unknown as BlockHandle;
      for (const claimer of [memory, pool]) refused(() => claimer.claim(given), name);
    }
  }
  memory.claim(handle).free();
  pool.close();
  assert.deepEqual(memory.close(), []);
});

test("bytes of another realm are copied as those of this one", () => {
  const memory = openAllocator();
  const arena = memory.arena();
  const parts = runInNewContext(
    "const b = new Uint8Array([1, 2]).buffer; const gone = new Uint8Array(2);" +
      "structuredClone(gone.buffer, { transfer: [gone.buffer] });" +
      "[b, new Uint8Array(b), gone, gone.buffer]",
    { structuredClone },
  ) as [ArrayBuffer, Uint8Array, Uint8Array, ArrayBuffer];
  const [buffer, view, gone, goneBuffer] = parts;
  for (const source of [memory, arena]) {
    for (const data of [buffer, view]) {
      const copy = source.allocateFrom(data);
      assert.deepEqual([..."bytes" in copy ? copy.bytes : copy], [1, 2]);
      if ("bytes" in copy) copy.free();
    }
    for (const data of [gone, goneBuffer]) refused(() => source.allocateFrom(data), "detached");
    for (const shape of [new Proxy(buffer, {}), Object.create(ArrayBuffer.prototype)]) {
      refused(() => source.allocateFrom(shape), "no buffer");
    }
  }
  arena.free();
  assert.deepEqual(memory.close(), []);
});

test("a property that is read is the one that was checked, and is read before memory is", () => {
  const memory = openAllocator();
  const address = memory.raw.malloc(8);
  let reads = 0;
  const twoFaced = {
    get free() {
      return reads++ === 0 ? "x" as unknown as Address : undefined;
    },
  };
  refused(() => memory.adopt(address, 8, twoFaced));
  memory.raw.free(address);
  const block = memory.allocateFrom("text", { terminated: true });
  const ending = {
    get zeroed() {
      block.bytes.set([65, 0]);
      return false;
    },
  };
  const copy = memory.blockFrom(block.address, ending);
  assert.equal(copy.size, 2);
  copy.free();
  block.free();
  assert.deepEqual(memory.close(), []);
});

test("a promise that cannot be asked holds nothing", () => {
  const memory = openAllocator();
  const block = memory.allocate(8);
  const promise = Promise.resolve();
  Object.defineProperty(promise, "constructor", {
    get() {
      throw new Error("its own");
    },
  });
  assert.throws(() => block.hold(promise), /its own/);
  memory.raw.free(block.release());
  assert.deepEqual(memory.close(), []);
});

test("a held lease whose buffer was taken leaves its place to who waits", async () => {
  const memory = openAllocator({ leaks: "off" });
  const pool = memory.pool({ blockSize: 64, max: 1, zeroed: true });
  const lease = pool.acquire();
  const { buffer } = lease;
  const call = Promise.withResolvers<string>();
  const held = lease.hold(call.promise);
  lease.release();
  const waiting = pool.wait({ signal: AbortSignal.timeout(5000) });
  buffer.transfer();
  call.resolve("done");
  assert.equal(await held, "done");
  (await waiting).release();
  assert.equal(pool.statistics().leased, 0);
  memory.close();
});

test("what is no time for unused pages is shown in one line", () => {
  const memory = openAllocator();
  for (const bad of ["", [], Object.create(null), new Uint8Array(8)]) {
    refused(() => memory.decay(bad as number), "decay");
  }
  memory.close();
});
