/**
 * Blocks that go from one thread to another.
 *
 * @module
 */
import process from "node:process";
import { type Address, NULL } from "../../../ffi/types.ts";
import { BlockError, type BlockErrorReason, OutOfMemoryError } from "../../errors.ts";
import { glance, ownProperties } from "../../options.ts";
import type { Live } from "./live.ts";
import type { Arrival, Store } from "./store.ts";

/**
 * What {@linkcode Block.transfer} gives, to be posted to another thread of this process.
 *
 * @example
 * ```ts
 * import { type BlockHandle, openAllocator } from "@offheap/offheap";
 *
 * const memory = openAllocator();
 * const handle: BlockHandle = memory.allocateFrom("hello").transfer();
 * const posted = structuredClone(handle); // as postMessage does it
 * const block = memory.claim(posted);
 * console.log(handle.size, new TextDecoder().decode(block.bytes));
 * block.free();
 * memory.close();
 * ```
 */
export interface BlockHandle {
  /** What it is. */
  readonly type: "offheap.block";
  /** The number under which exactly one claim succeeds. */
  readonly ticket: number;
  /** A random number that goes with it: a handle that was not given by `transfer()` is refused. */
  readonly secret: number;
  /** The process that the block is in; elsewhere the handle means nothing. */
  readonly process: number;
  /** The block's size in bytes. */
  readonly size: number;
}

/** A number that nobody guesses: 52 random bits. */
function makeSecret(): number {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2));
  return high % 2 ** 20 * 2 ** 32 + low;
}

/** Leaves an allocation that has ended here to whoever claims it. */
export function deposit(store: Store, live: Live): BlockHandle {
  const { calls, source, depositor } = store.parts;
  const { address, size, alignment } = live;
  const secret = makeSecret();
  const free = live.extra?.free ?? NULL;
  const ticket = calls.offheap_ticket_put(
    source,
    secret,
    address,
    size,
    alignment,
    free,
    depositor,
  );
  if (ticket === 0) {
    // Nobody can claim it: it goes back, as if it had been freed.
    store.release(address, free);
    throw new OutOfMemoryError("a ticket for a block", size, alignment);
  }
  return { type: "offheap.block", ticket, secret, process: process.pid, size };
}

/**
 * The sizes of the blocks that nobody has claimed yet: those that this store's allocator gave away, and
 * those of allocators that are closed or whose threads have ended.
 */
export function unclaimedSizes({ parts: { calls, source, depositor } }: Store): number[] {
  const sizes = new Float64Array(calls.offheap_ticket_count(source));
  const count = calls.offheap_ticket_sizes(source, depositor, sizes, sizes.length);
  // Another thread may have deposited one meanwhile.
  return [...sizes.subarray(0, count)];
}

/** What `offheap_ticket_take` returns when it has not taken the block: see transfer.c. */
const REFUSALS: ReadonlyMap<number, readonly [BlockErrorReason, string]> = new Map([
  [1, [
    "foreign",
    "no such block was transferred in this process, or by another copy of offheap than this one",
  ]],
  [2, ["foreign", "it is of another allocator, or of another copy of its library"]],
  [3, ["claimed", "it was claimed before"]],
  [4, ["size", "the block that was transferred has another size"]],
]);

/**
 * A handle by its own properties.
 *
 * @throws {TypeError} for anything else.
 */
export function requireHandle(action: string, given: BlockHandle): BlockHandle {
  // The type first: a view, which is posted by mistake, has a property for each of its bytes.
  if (typeof given === "object" && given !== null && Object.hasOwn(given, "type")) {
    const handle = ownProperties(given);
    const numbers = [handle.ticket, handle.secret, handle.process, handle.size];
    const isWhole = numbers.every((each) => typeof each === "number");
    if (handle.type === "offheap.block" && isWhole) return handle;
  }
  throw new TypeError(
    `Cannot ${action}: the handle must be what a block's transfer() gave; got ${glance(given)}`,
  );
}

/** What the shim says of a handle, and what it writes of the allocation when that is 0. */
function ask(
  { parts: { calls, source } }: Store,
  handle: BlockHandle,
  take: boolean,
  out: Float64Array,
): number {
  const { ticket, secret, size } = handle;
  return calls.offheap_ticket_take(source, ticket, secret, size, take ? 1 : 0, out);
}

/** Whether nobody has claimed a handle of this process yet. */
export function isWaiting(store: Store, given: BlockHandle): boolean {
  const handle = requireHandle("look for a block", given);
  return handle.process === process.pid && ask(store, handle, false, new Float64Array(4)) === 0;
}

/**
 * An allocation that another thread has left, by its handle.
 *
 * @param take Whether it is taken over: nobody else can claim it then.
 * @throws {BlockError} when it was claimed, or is of another allocator or process.
 * @throws {TypeError} for what is not a handle.
 */
export function claim(store: Store, given: BlockHandle, take = true): Arrival {
  const action = "claim a block";
  const handle = requireHandle(action, given);
  const { size } = handle;
  const refused = `Cannot ${action} of ${size} bytes for ${store.parts.what}`;
  if (handle.process !== process.pid) {
    throw new BlockError(
      "foreign",
      `${refused}: it is of process ${handle.process}, and this is process ${process.pid}.`,
    );
  }
  const out = new Float64Array(4);
  const status = ask(store, handle, take, out);
  if (status !== 0) {
    const [reason, why] = REFUSALS.get(status) ?? ["foreign", `status ${status}`];
    throw new BlockError(reason, `${refused}: ${why}.`);
  }
  const [address = 0, , alignment = 0, free = 0] = out;
  const addresses = { address: address as Address, free: free as Address };
  return { ...addresses, size, alignment, managed: false, kind: "block" };
}
