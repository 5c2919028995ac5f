/**
 * Operations on pools.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Lease } from "../../../mod.ts";
import type { Operation } from "./operation.ts";
import { pattern, requireDetached, requirePattern, requireZeros } from "./pattern.ts";
import {
  type HeldLease,
  type HeldPool,
  pickFrom,
  requireRefusal,
  type Steps,
  takeFrom,
  type Waiter,
  type World,
} from "./world.ts";

/** An operation on one of the pools. */
function inPool<R extends boolean | Promise<boolean>>(
  use: (world: World, held: HeldPool, operation: Operation) => R,
): (world: World, operation: Operation) => R | false {
  return (world, operation) => {
    const held = pickFrom(world.pools, operation.pick);
    return held !== undefined && use(world, held, operation);
  };
}

/** Lets promises settle. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await null;
}

function requireCounts({ pool, leases, waiting, idle, ...held }: HeldPool): void {
  const found = pool.statistics();
  const { blockSize, allocations, granted } = held;
  const leased = leases.length + held.away.length;
  const same = found.leased === leased && found.away === held.away.length &&
    found.waiting === waiting.length &&
    found.idle === idle.size + held.elsewhere && found.blockSize === blockSize &&
    found.leases === granted && found.allocations === allocations;
  if (same) return;
  const counts = { leased, away: held.away.length, idle: idle.size + held.elsewhere };
  const wanted = { blockSize, ...counts, waiting: waiting.length, leases: granted, allocations };
  assert.deepEqual(found, wanted, "a pool's statistics");
}

/** Enters a lease: of an idle block where there is one, else of a new one. */
function enter(world: World, held: HeldPool, lease: Lease): void {
  const { blockSize: size, alignment, idle } = held;
  const { address } = lease;
  const known = idle.delete(address);
  if (!known) {
    if (idle.size + held.elsewhere === 0) {
      held.allocations++;
      world.account.add(1, size);
    } else {
      assert.ok(held.elsewhere > 0, "an idle block is leased before one is allocated");
      held.elsewhere--;
    }
    world.ranges.add(address, size, `a pool's block`);
  }
  assert.equal(address % alignment, 0, `a lease at 0x${address.toString(16)} of ${alignment}`);
  hold(world, held, lease);
}

/** Holds a lease, and fills its block. */
function hold(world: World, held: HeldPool, lease: Lease): void {
  const { blockSize: size, zeroed } = held;
  const { address, bytes } = lease;
  assert.deepEqual([lease.size, bytes.length, lease.buffer], [size, size, bytes.buffer]);
  if (zeroed) requireZeros(bytes, 0, "a lease of a zeroing pool");
  const id = world.nextId();
  bytes.set(pattern(id, size));
  held.granted++;
  held.leases.push({ lease, id, address, size, bytes });
  requireCounts(held);
}

function requireLease({ bytes, id, size }: HeldLease): void {
  requirePattern(bytes, id, size, `lease ${id}`);
}

/** Waits for a lease, and notes how that ends. */
function wait({ pool }: HeldPool): Waiter {
  const controller = new AbortController();
  const waiter: Waiter = { controller };
  pool.wait({ signal: controller.signal }).then((lease) => {
    waiter.lease = lease;
  }, (error: unknown) => {
    waiter.error = error;
  });
  return waiter;
}

function isExhausted({ leases, away, max }: HeldPool): boolean {
  return leases.length + away.length >= max;
}

/** A lease goes back: to whoever waits longest, or to the pool. */
async function release(world: World, held: HeldPool, { pick, flag }: Operation): Promise<boolean> {
  const found = takeFrom(held.leases, pick);
  if (found === undefined) return false;
  const { lease, address, bytes } = found;
  requireLease(found);
  if (flag) lease.release();
  else lease[Symbol.dispose]();
  if (held.strict) requireDetached([bytes], "a released lease of a strict pool");
  else assert.equal(bytes.length, held.blockSize);
  for (const use of [() => lease.release(), () => lease.bytes, () => lease.address]) {
    requireRefusal("BlockError", "released", use);
  }
  const next = held.waiting.shift();
  if (next === undefined) {
    held.idle.add(address);
  } else {
    await settle();
    assert.equal(next.lease?.address, address, "whoever has waited longest gets the block");
    assert.ok(held.waiting.every(isPending), "nobody else gets it");
    hold(world, held, next.lease as Lease);
  }
  requireCounts(held);
  return true;
}

/** A lease leaves its pool, and keeps its place there. */
function sendAway(world: World, held: HeldPool, { pick }: Operation): boolean {
  const found = takeFrom(held.leases, pick);
  if (found === undefined) return false;
  requireLease(found);
  const { lease, id, address, size, bytes } = found;
  const handle = structuredClone(lease.transfer());
  requireDetached([bytes], "a lease that was given away");
  requireRefusal("BlockError", "transferred", () => lease.release());
  world.account.add(-1, -size);
  world.uncounted += size;
  held.away.push({ handle, id, address, size, alignment: held.alignment });
  world.unclaimed++;
  requireCounts(held);
  return true;
}

/** A lease comes back to its pool, with what was written. */
function takeBack(world: World, held: HeldPool, { pick }: Operation): boolean {
  const found = takeFrom(held.away, pick);
  if (found === undefined) return false;
  const { handle, id, address, size } = found;
  const lease = held.pool.claim(handle);
  world.account.add(1, size);
  world.uncounted -= size;
  world.unclaimed--;
  assert.equal(lease.address, address);
  const { bytes } = lease;
  held.leases.push({ lease, id, address, size, bytes });
  held.leases.forEach(requireLease);
  requireRefusal("BlockError", "claimed", () => held.pool.claim(handle));
  requireCounts(held);
  return true;
}

/** What is away when a pool is closed is its allocator's to claim. */
export function claimAway(world: World, { away }: HeldPool): void {
  for (const { handle, id, address, size } of away.splice(0)) {
    const block = world.memory.claim(handle);
    world.uncounted -= size;
    world.unclaimed--;
    requirePattern(block.bytes, id, size, `lease ${id}`);
    block.free();
    world.account.add(1, size);
    world.account.add(-1, -size);
    world.ranges.remove(address);
  }
}

function isPending({ lease, error }: Waiter): boolean {
  return lease === undefined && error === undefined;
}

/** Idle blocks have gone: all of them, or some that the pool has chosen. */
async function trim(world: World, held: HeldPool, { pick, flag }: Operation): Promise<boolean> {
  await null;
  const { pool, idle } = held;
  const count = idle.size + held.elsewhere;
  const keep = Math.min(count, flag ? 0 : pick % 4);
  assert.equal(flag ? pool.trim() : pool.trim(pick % 4), count - keep);
  world.account.add(keep - count, (keep - count) * held.blockSize);
  if (keep < count) {
    // Which ones were kept is the pool's own affair.
    for (const address of idle) world.ranges.remove(address);
    idle.clear();
    held.elsewhere = keep;
  }
  requireCounts(held);
  return true;
}

/** Whoever waits is refused, and every view of a lease has ended. */
export async function requireClosed(world: World, held: HeldPool): Promise<void> {
  await settle();
  for (const { error } of held.waiting) assert.equal(Object(error).name, "ClosedError");
  for (const { lease, id, address, bytes } of held.leases) {
    requireDetached([bytes], `lease ${id} of a closed pool`);
    requireRefusal("BlockError", "freed", () => lease.release());
    world.ranges.remove(address);
  }
  for (const address of held.idle) world.ranges.remove(address);
  requireRefusal("ClosedError", undefined, () => held.pool.acquire());
  requireRefusal("ClosedError", undefined, () => held.pool.close());
}

/** Operations on pools. */
export const POOL_STEPS: Steps = {
  "pool": [2, (world, { size, alignment, pick, flag }) => {
    if (world.pools.length > 3) return false;
    const blockSize = Math.max(1, size);
    const options = { blockSize, alignment, strict: flag, zeroed: pick % 2 === 0 };
    const max = pick % 4 === 0 ? Infinity : 1 + pick % 3;
    const pool = world.memory.pool(max === Infinity ? options : { ...options, max });
    const counts = { elsewhere: 0, granted: 0, allocations: 0 };
    const lists = { leases: [], away: [], waiting: [], idle: new Set<number>() };
    const kept = { ...options, alignment: Math.max(16, alignment), max };
    world.pools.push({ pool, ...kept, ...lists, ...counts });
    return true;
  }],
  "pool.acquire": [
    7,
    inPool((world, held) => {
      if (!world.hasRoom(held.blockSize)) return false;
      if (isExhausted(held)) {
        requireRefusal("PoolExhaustedError", undefined, () => held.pool.acquire());
      } else {
        enter(world, held, held.pool.acquire());
      }
      return true;
    }),
  ],
  "pool.wait": [
    5,
    inPool(async (world, held) => {
      if (!world.hasRoom(held.blockSize) || held.waiting.length > 4) return false;
      const waiter = wait(held);
      await settle();
      if (isExhausted(held)) {
        assert.ok(isPending(waiter), "a lease of an exhausted pool");
        held.waiting.push(waiter);
        requireCounts(held);
      } else {
        assert.ok(waiter.lease !== undefined, "a lease is there at once");
        enter(world, held, waiter.lease);
      }
      return true;
    }),
  ],
  "lease.release": [9, inPool(release)],
  "lease.transfer": [2, inPool(sendAway)],
  "pool.claim": [2, inPool(takeBack)],
  "a wait is aborted": [
    1,
    inPool(async (_world, held, { pick }) => {
      const waiter = takeFrom(held.waiting, pick);
      if (waiter === undefined) return false;
      const reason = new Error("no longer needed");
      waiter.controller.abort(reason);
      await settle();
      assert.equal(waiter.error, reason);
      requireCounts(held);
      return true;
    }),
  ],
  "pool.trim": [1, inPool(trim)],
  "pool.close": [1, async (world, { pick }) => {
    const held = takeFrom(world.pools, pick);
    if (held === undefined) return false;
    held.leases.forEach(requireLease);
    held.pool.close();
    const count = held.leases.length + held.idle.size + held.elsewhere;
    world.account.add(-count, -count * held.blockSize);
    claimAway(world, held);
    await requireClosed(world, held);
    return true;
  }],
};
