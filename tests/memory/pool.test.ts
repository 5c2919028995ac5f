import assert from "node:assert/strict";
import { test } from "node:test";
import { type Lease, openAllocator, type PoolOptions } from "../../mod.ts";

const released = { name: "BlockError", reason: "released" };

test("a pool's block is wrapped once and leased again", () => {
  const memory = openAllocator();
  const pool = memory.pool({ blockSize: 4096, alignment: 256 });
  const first = pool.acquire();
  const { bytes, address } = first;
  assert.equal(bytes.length, 4096);
  assert.equal(address % 256, 0);
  assert.equal(first.size, 4096);
  assert.equal(first.as(Float64Array).length, 512);
  first.release();
  const second = pool.acquire();
  assert.equal(second.bytes, bytes);
  assert.equal(second.buffer, bytes.buffer);
  assert.deepEqual(pool.statistics(), {
    blockSize: 4096,
    leased: 1,
    away: 0,
    idle: 0,
    waiting: 0,
    leases: 2,
    allocations: 1,
  });
  second.release();
  pool.close();
  assert.equal(bytes.length, 0);
  assert.deepEqual(memory.close(), []);
});

test("a released lease cannot be used or released again, whoever has the block now", () => {
  const memory = openAllocator();
  const pool = memory.pool({ blockSize: 64 });
  const stale = pool.acquire();
  stale.release();
  const next = pool.acquire();
  const uses: (() => unknown)[] = [
    () => stale.bytes,
    () => stale.buffer,
    () => stale.size,
    () => stale.address,
    () => stale.pointer,
    () => stale.as(Uint8Array),
    () => stale.release(),
  ];
  for (const use of uses) assert.throws(use, released, String(use));
  stale[Symbol.dispose]();
  assert.equal(next.bytes.length, 64);
  next[Symbol.dispose]();
  assert.equal(pool.statistics().leased, 0);
  memory.close();
});

test("a strict pool detaches on release, so that no view sees the next lease", () => {
  const memory = openAllocator();
  const pool = memory.pool({ blockSize: 64, strict: true });
  const lease = pool.acquire();
  const views = [lease.bytes, lease.as(Uint32Array)];
  const { address } = lease;
  lease.release();
  for (const view of views) assert.equal(view.length, 0);
  const next = pool.acquire();
  assert.equal(next.address, address);
  assert.equal(next.bytes.length, 64);
  next.release();
  memory.close();
});

test("a zeroing pool hands out zeros every time", () => {
  const memory = openAllocator();
  for (const strict of [false, true]) {
    const pool = memory.pool({ blockSize: 100, zeroed: true, strict });
    for (let round = 0; round < 3; round++) {
      const lease = pool.acquire();
      assert.ok(lease.bytes.every((byte) => byte === 0));
      lease.bytes.fill(1);
      lease.release();
    }
  }
  assert.deepEqual(memory.close(), [], "idle blocks are no leak");
});

test("a pool at its limit refuses at once, and makes wait in turn", async () => {
  const memory = openAllocator();
  const pool = memory.pool({ blockSize: 64, max: 2 });
  const held = [pool.acquire(), pool.acquire()];
  assert.throws(() => pool.acquire(), {
    name: "PoolExhaustedError",
    code: "ERR_OFFHEAP_POOL_EXHAUSTED",
    max: 2,
  });
  const order: number[] = [];
  const waiting = [0, 1, 2].map(async (index) => {
    const lease = await pool.wait();
    order.push(index);
    return lease;
  });
  assert.equal(pool.statistics().waiting, 3);
  held[0]?.release();
  assert.throws(() => pool.acquire(), { name: "PoolExhaustedError" }, "nobody overtakes");
  const first = await waiting[0] as Lease;
  assert.deepEqual(order, [0]);
  first.release();
  held[1]?.release();
  const rest = await Promise.all([waiting[1], waiting[2]]);
  assert.deepEqual(order, [0, 1, 2]);
  for (const lease of rest) lease?.release();
  assert.deepEqual({ ...pool.statistics() }, {
    blockSize: 64,
    leased: 0,
    away: 0,
    idle: 2,
    waiting: 0,
    leases: 5,
    allocations: 2,
  });
  (await pool.wait()).release();
  memory.close();
});

test("waiting ends by its signal, with the reason, and leaves the line", async (t) => {
  const memory = openAllocator();
  const pool = memory.pool({ blockSize: 64, max: 1 });
  const lease = pool.acquire();
  const reason = new Error("no patience");
  const controller = new AbortController();
  const first = pool.wait({ signal: controller.signal });
  const patient = new AbortController().signal;
  const removed = t.mock.method(patient, "removeEventListener");
  const second = pool.wait({ signal: patient });
  controller.abort(reason);
  await assert.rejects(first, reason);
  await assert.rejects(pool.wait({ signal: controller.signal }), reason, "aborted before");
  assert.equal(pool.statistics().waiting, 1);
  lease.release();
  (await second).release();
  assert.equal(removed.mock.callCount(), 1, "a signal that goes on holds nothing of it");
  await assert.rejects(pool.wait({ signal: 5 } as never), TypeError);
  await assert.rejects(pool.wait(controller.signal as never), {
    name: "TypeError",
    message: /the signal must be in an object/,
  });
  await assert.rejects(pool.wait({ limit: 5 } as never), TypeError);
  assert.equal(pool.statistics().idle, 1);
  memory.close();
});

test("trimming gives idle blocks back, but for those that are to stay", () => {
  const memory = openAllocator();
  const pool = memory.pool({ blockSize: 1000 });
  const leases = Array.from({ length: 10 }, () => pool.acquire());
  const views = leases.map(({ bytes }) => bytes);
  leases.slice(0, 8).forEach((lease) => lease.release());
  assert.equal(pool.trim(3), 5);
  assert.equal(pool.statistics().idle, 3);
  assert.equal(memory.statistics().blocks, 5);
  assert.equal(pool.trim(), 3);
  assert.equal(pool.trim(), 0);
  assert.equal(views.filter((view) => view.length === 0).length, 8);
  assert.throws(() => pool.trim(-1), RangeError);
  leases.slice(8).forEach((lease) => lease.release());
  memory.close();
});

test("closing a pool detaches what is leased, and refuses those that wait", async () => {
  const memory = openAllocator();
  const pool = memory.pool({ blockSize: 64, max: 1 });
  const lease = pool.acquire();
  const { bytes } = lease;
  const waiting = pool.wait();
  pool.close();
  const closed = { name: "ClosedError", code: "ERR_OFFHEAP_CLOSED" };
  await assert.rejects(waiting, closed);
  assert.equal(bytes.length, 0);
  assert.equal(pool.statistics().leased, 0);
  assert.throws(() => lease.release(), { name: "BlockError", reason: "freed" });
  lease[Symbol.dispose]();
  assert.throws(() => pool.acquire(), closed);
  await assert.rejects(pool.wait(), closed);
  assert.throws(() => pool.trim(), closed);
  assert.throws(() => pool.close(), closed);
  pool[Symbol.dispose]();
  assert.deepEqual(memory.close(), []);
});

test("closing the allocator lists leased blocks, detaches them, and refuses those that wait", async () => {
  const memory = openAllocator({ leaks: "off" });
  const pool = memory.pool({ blockSize: 64, max: 2 });
  const [lease, other] = [pool.acquire(), pool.acquire()];
  const { bytes } = lease;
  const waiting = pool.wait();
  const open = memory.close();
  assert.deepEqual(open.map(({ kind, size }) => [kind, size]), [
    ["pool block", 64],
    ["pool block", 64],
  ]);
  assert.equal(bytes.length, 0);
  await assert.rejects(waiting, { name: "ClosedError" });
  assert.throws(() => pool.acquire(), { name: "ClosedError" });
  assert.throws(() => other.release(), { reason: "freed" });
});

test("a lease whose buffer was detached elsewhere is not given back to the pool", () => {
  for (const strict of [false, true]) {
    const memory = openAllocator({ leaks: "off" });
    const pool = memory.pool({ blockSize: 64, strict });
    const lease = pool.acquire();
    lease.bytes[0] = 1;
    const stolen = lease.buffer.transfer();
    assert.throws(() => lease.release(), { name: "BlockError", reason: "detached" });
    assert.equal(pool.statistics().idle, 0);
    assert.equal(memory.close().length, 1);
    assert.equal(new Uint8Array(stolen)[0], 1);
  }
});

test("invalid options of a pool are refused", () => {
  const memory = openAllocator();
  const wrong: [unknown, ErrorConstructor][] = [
    [undefined, TypeError],
    [{}, TypeError],
    [{ blockSize: 0 }, RangeError],
    [{ blockSize: -5 }, RangeError],
    [{ blockSize: 1.5 }, RangeError],
    [{ blockSize: 8, max: 0 }, RangeError],
    [{ blockSize: 8, max: 1.5 }, RangeError],
    [{ blockSize: 8, alignment: 3 }, RangeError],
    [{ blockSize: 8, strict: 1 }, TypeError],
    [{ blockSize: 8, size: 1 }, TypeError],
  ];
  for (const [options, kind] of wrong) {
    assert.throws(() => memory.pool(options as PoolOptions), kind, JSON.stringify(options));
  }
  memory.close();
});

test("a pool does not lease a block whose buffer was detached while it was idle", () => {
  const memory = openAllocator({ leaks: "off" });
  const pool = memory.pool({ blockSize: 64 });
  const leases = [pool.acquire(), pool.acquire()];
  const kept = leases.map(({ bytes }) => bytes);
  leases.forEach((lease) => lease.release());
  const stolen = kept[1]?.buffer.transfer();
  const next = pool.acquire();
  assert.equal(next.bytes.length, 64);
  assert.equal(next.bytes, kept[0]);
  next.release();
  const again = [pool.acquire(), pool.acquire()].map((lease) => {
    const { bytes } = lease;
    lease.release();
    return bytes.length;
  });
  assert.deepEqual(again, [64, 64]);
  kept[0]?.buffer.transfer();
  assert.equal(pool.trim(), 1);
  assert.equal(stolen?.byteLength, 64);
  assert.equal(memory.statistics().leaks, 2, "those that are elsewhere stay allocated");
  assert.deepEqual(memory.close(), []);
});

test("a pool takes back what it has given away, and nothing else", () => {
  const memory = openAllocator();
  const pool = memory.pool({ blockSize: 64, max: 2 });
  const [lease, other] = [pool.acquire(), pool.acquire()];
  lease.bytes.fill(7);
  const handle = lease.transfer();
  for (const use of [() => lease.release(), () => lease.address, () => lease.transfer()]) {
    assert.throws(use, { name: "BlockError", reason: "transferred" }, String(use));
  }
  assert.equal(lease.bytes.length, 0);
  lease[Symbol.dispose]();
  const foreign = memory.allocate(64).transfer();
  assert.throws(() => pool.claim(foreign), {
    name: "BlockError",
    reason: "foreign",
    message: /this pool has not given it away. Take it by the allocator's claim\(\)/,
  });
  memory.claim(foreign).free();
  const another = memory.pool({ blockSize: 64 });
  assert.throws(() => another.claim(handle), { reason: "foreign" });
  for (const wrong of [null, 5, {}]) {
    assert.throws(() => pool.claim(wrong as never), TypeError);
    assert.throws(() => pool.writeOff(wrong as never), TypeError);
  }
  const back = pool.claim(handle);
  assert.ok(back.bytes.every((byte) => byte === 7));
  assert.throws(() => pool.claim(handle), { reason: "claimed" });
  assert.throws(() => pool.writeOff(handle), { name: "BlockError", reason: "foreign" });
  back.release();
  other.release();
  assert.equal(pool.statistics().idle, 2);
  assert.deepEqual(memory.close(), []);
});

test("a lease that does not come back is written off, and its place is free for who waits", async () => {
  const memory = openAllocator();
  const pool = memory.pool({ blockSize: 64, max: 1 });
  const freedElsewhere = pool.acquire().transfer();
  memory.claim(freedElsewhere).free();
  const waiting = pool.wait();
  pool.writeOff(freedElsewhere);
  const next = await waiting;
  assert.deepEqual([pool.statistics().leased, pool.statistics().away], [1, 0]);
  const unclaimed = next.transfer();
  assert.equal(memory.statistics().unclaimed, 1);
  pool.writeOff(unclaimed);
  assert.equal(memory.statistics().unclaimed, 0, "what nobody has claimed is freed");
  assert.throws(() => pool.writeOff(unclaimed), { reason: "foreign" });
  const last = pool.acquire().transfer();
  pool.close();
  for (const use of [() => pool.claim(last), () => pool.writeOff(last)]) {
    assert.throws(use, { name: "ClosedError" }, String(use));
  }
  memory.claim(last).free();
  assert.deepEqual(memory.close(), []);
});
