/**
 * Where blocks come from: an allocator or one of its heaps, with the account of what is in use.
 *
 * @module
 */
import { ffi } from "../../../ffi/mod.ts";
import { type Address, NULL } from "../../../ffi/types.ts";
import { ClosedError, OutOfMemoryError } from "../../errors.ts";
import type { Account } from "../shared/account.ts";
import type { LeakKind, LeakReport } from "../leaks.ts";
import { detach, wrapBytes } from "../shared/buffers.ts";
import { Holds, holdUntil } from "../shared/holds.ts";
import { BlockMagazine } from "./block-magazine.ts";
import type { LeakTracker } from "../leaks.ts";
import { bufferOf, Live, LiveList, type LiveOwner, type LiveState } from "./live.ts";
import type { MemoryCalls } from "../../allocators/memory.ts";
import { blockSampling } from "./sampling.ts";
import {
  detachedError,
  isHeld,
  requireMovable,
  requireUsable,
  unsizableError,
} from "./refusals.ts";

/** Sizes up to this one are wrapped by every runtime. */
const ALWAYS_WRAPPED = 2 ** 30;

/** What a store is made of. */
export interface StoreParts {
  /** The shim's functions. */
  readonly calls: MemoryCalls;
  /** The source in the shim. */
  readonly source: Address;
  /** Records stacks, and reports leaks. */
  readonly tracker: LeakTracker;
  /** The account, in which a heap's blocks count for its allocator as well. */
  readonly account: Account;
  /** By which the shim knows who transfers blocks; `NULL` for a heap, whose blocks cannot leave it. */
  readonly depositor: Address;
  /** The library whose blocks they are; `null` for who serves `malloc`. */
  readonly object: string | null;
  /** What it is, for messages. */
  readonly what: string;
  /** Whether a few freed blocks are kept for the next ones. */
  readonly keepsFreed: boolean;
  /** Frees what is cached, when there is no memory. */
  readonly trim: () => void;
}

/** Memory that comes from elsewhere: from native code, or from another thread. */
export interface Arrival {
  /** Its first byte. */
  readonly address: Address;
  /** Its size in bytes. */
  readonly size: number;
  /** Its alignment in bytes. */
  readonly alignment: number;
  /** The native function that frees it; `NULL` for the allocator's own. */
  readonly free: Address;
  /** Whether the garbage collector is to free it. */
  readonly managed: boolean;
  /** What it counts as. */
  readonly kind: LeakKind;
}

/** Blocks of one source. */
export class Store implements LiveOwner {
  /** What it is made of. */
  readonly parts: StoreParts;
  /** A heap, or what an allocator answers: it lives as long as a block of the store does. */
  keeper: unknown = null;
  /** The asynchronous calls that use any of its allocations. */
  readonly holds: Holds = new Holds();
  readonly #freed: BlockMagazine | null;
  readonly #list = new LiveList();
  #open = true;

  /** Makes the store of a source. */
  constructor(parts: StoreParts) {
    this.parts = parts;
    this.#freed = parts.keepsFreed ? new BlockMagazine(parts.calls, parts.source) : null;
  }

  /** Refuses to go on when it was closed. */
  requireOpen(action: string): void {
    if (!this.#open) throw new ClosedError(action, `${this.parts.what} was closed`);
  }

  /** Native memory without a buffer: an address that {@linkcode Store.give} gives back. */
  take(what: string, size: number, alignment: number, zeroed: boolean): Address {
    const address = this.#obtain(what, size, alignment, zeroed);
    this.#count(size);
    return address;
  }

  /** The same with a buffer over it. What the runtime cannot wrap was never in use, nor counts. */
  takeWrapped(
    what: string,
    size: number,
    alignment: number,
    zeroed: boolean,
  ): [Address, ArrayBuffer] {
    const address = this.#obtain(what, size, alignment, zeroed);
    let buffer;
    try {
      buffer = wrapBytes(address, size);
    } catch (error) {
      this.release(address, NULL);
      throw error;
    }
    this.#count(size);
    return [address, buffer];
  }

  #obtain(what: string, size: number, alignment: number, zeroed: boolean): Address {
    const { calls, source, trim } = this.parts;
    const zero = zeroed ? 1 : 0;
    let address = calls.offheap_allocate(source, size, alignment, zero);
    if (address === NULL) {
      trim();
      address = calls.offheap_allocate(source, size, alignment, zero);
      if (address === NULL) throw new OutOfMemoryError(what, size, alignment);
    }
    return address;
  }

  /** Gives memory back that was taken. */
  give(address: Address, size: number): void {
    this.release(address, NULL);
    this.#discount(size);
  }

  /** Memory that has come from elsewhere counts from now on. When it throws, it does not. */
  adopt(
    { address, size, alignment, free, managed, kind }: Arrival,
    trace: string | null,
  ): [Live, ArrayBuffer] {
    const buffer = wrapBytes(address, size);
    this.#count(size);
    const live = this.#enter(address, size, alignment, kind, buffer, managed ? null : trace);
    live.reusable = false;
    if (free !== NULL || managed) live.extra = { free, managed, holds: new Holds() };
    return [live, buffer];
  }

  /**
   * Allocates memory with a buffer over it.
   *
   * @param trace The stack of who allocates it, when that is recorded.
   * @param managed Whether the garbage collector is to free it.
   */
  allocate(
    size: number,
    alignment: number,
    zeroed: boolean,
    kind: LeakKind,
    trace: string | null,
    managed = false,
  ): [Live, ArrayBuffer] {
    const kept = this.#freed?.take(size, alignment) ?? null;
    if (kept !== null && this.#freed !== null) {
      if (zeroed) new Uint8Array(kept).fill(0);
      this.#count(size);
      const { taken } = this.#freed;
      return [this.#enter(taken, size, alignment, kind, kept, trace, managed), kept];
    }
    const [address, buffer] = this.takeWrapped(`a ${kind}`, size, alignment, zeroed);
    return [this.#enter(address, size, alignment, kind, buffer, trace, managed), buffer];
  }

  #enter(
    address: Address,
    size: number,
    alignment: number,
    kind: LeakKind,
    buffer: ArrayBuffer,
    trace: string | null,
    managed = false,
  ): Live {
    const live = new Live(this, address, size, alignment, kind, trace, buffer);
    if (managed) live.extra = { free: NULL, managed: true, holds: new Holds() };
    this.#list.add(live);
    blockSampling()?.take(live, this.parts.object);
    return live;
  }

  /** Resizes an allocation; the buffer that it has from then on. When it throws, all is as it was. */
  reallocate(live: Live, buffer: ArrayBuffer, size: number, zeroed: boolean): ArrayBuffer {
    requireMovable("reallocate", live, buffer);
    if (live.extra !== null && live.extra.free !== NULL) throw unsizableError(live);
    if (!ffi().detachable(buffer)) throw detachedError("reallocate", live);
    const { address: before, size: old, alignment } = live;
    // Whether the runtime can wrap so much at all must be known while there is a way back.
    if (size > ALWAYS_WRAPPED) detach(wrapBytes(before, size));
    const { calls, source, trim } = this.parts;
    let address = calls.offheap_reallocate(source, before, size, alignment);
    if (address === NULL) {
      trim();
      address = calls.offheap_reallocate(source, before, size, alignment);
      if (address === NULL) throw new OutOfMemoryError(`a ${live.kind}`, size, alignment);
    }
    detach(buffer);
    const next = wrapBytes(address, size);
    this.#list.renew(live, next, address, size);
    this.#discount(old);
    this.#count(size, 0);
    if (zeroed && size > old) new Uint8Array(next).fill(0, old);
    return next;
  }

  /** A fresh buffer over an allocation; the one before is detached. */
  rewrap(live: Live, buffer: ArrayBuffer): ArrayBuffer {
    requireUsable("release", live, buffer);
    const next = ffi().rewrap(buffer);
    this.#list.renew(live, next, live.address, live.size);
    return next;
  }

  /** Ends an allocation and gives its memory back. */
  free(live: Live, buffer: ArrayBuffer): void {
    requireUsable("free", live, buffer);
    const kept = live.reusable && this.#freed?.keep(live.address, buffer) === true;
    // It throws when a program has made the buffer impossible to detach: nothing has ended then.
    if (!kept) detach(buffer);
    this.#forget(live, "freed");
    if (!kept) this.#giveBack(live);
  }

  /** Gives the memory of an allocation back that has ended here, when no call uses it any more. */
  #giveBack(live: Live): void {
    const { address, extra } = live;
    if (extra === null) this.release(address, NULL);
    else extra.holds.whenOver(() => this.release(address, extra.free));
  }

  /** Gives memory back by the function that frees it; `NULL` for the allocator's own. */
  release(address: Address, free: Address): void {
    const { calls, source } = this.parts;
    if (free === NULL) calls.offheap_release(source, address);
    else calls.offheap_call_free(free, address);
  }

  /** An asynchronous call uses an allocation until a promise is settled. */
  hold<T>(live: Live, buffer: ArrayBuffer, promise: PromiseLike<T>, block: object): Promise<T> {
    requireUsable("hold", live, buffer);
    const result = holdUntil(`hold a ${live.kind}`, promise, [live.holds, this.holds], block);
    // The next block must not get its memory while the call goes on.
    live.reusable = false;
    return result;
  }

  /** Gives up an allocation whose buffer something else has: its memory stays allocated, a leak. */
  abandon(live: Live): void {
    this.#forget(live, "released");
    this.parts.tracker.count++;
  }

  /** Whether an address is in a freed block that is kept. */
  isFreed(address: Address): boolean {
    return this.#freed?.contains(address) ?? false;
  }

  /** Whether something else has the memory of any allocation. */
  isElsewhere(): boolean {
    return [...this.#list].some((live) => {
      const buffer = bufferOf(live);
      return buffer !== null && isHeld(live, buffer);
    });
  }

  /** Gives the freed blocks that are kept back to the allocator. */
  flush(): void {
    this.#freed?.flush();
  }

  /** Ends an allocation, and leaves its memory to whoever has the address. */
  end(
    action: string,
    live: Live,
    buffer: ArrayBuffer,
    state: Exclude<LiveState, "live">,
  ): void {
    requireMovable(action, live, buffer);
    detach(buffer);
    this.#forget(live, state);
  }

  /** The allocation that an address is in; `null` when this store has no such allocation. */
  find(address: Address): Live | null {
    return this.#list.at(address);
  }

  /** Frees the allocations that are meant, with their buffers; what is in use elsewhere stays. */
  freeAll(meant: (live: Live) => boolean): void {
    for (const live of this.#list) {
      if (!meant(live)) continue;
      const buffer = bufferOf(live);
      if (buffer === null) this.reclaim(live);
      else if (!isHeld(live, buffer)) this.free(live, buffer);
    }
  }

  /** An allocation whose JavaScript side was collected: a leak, and freed here. */
  reclaim(live: Live): void {
    if (live.state !== "live") return;
    this.#forget(live, "freed");
    this.#giveBack(live);
    live.onCollected?.deref()?.collected();
    if (live.extra?.managed !== true) this.parts.tracker.collected(live);
  }

  /**
   * Ends the store with all that is in it; what was still in use. A buffer that something else has
   * detached may be in use elsewhere: its memory stays allocated.
   *
   * @param release Whether each allocation is given back; a heap's go with the heap.
   */
  close(release: boolean): LeakReport[] {
    this.#open = false;
    this.flush();
    const open: LeakReport[] = [];
    for (const live of this.#list) {
      const buffer = bufferOf(live);
      if (buffer === null) {
        if (release) this.reclaim(live);
        else this.#forget(live, "freed");
        continue;
      }
      const elsewhere = isHeld(live, buffer);
      if (!elsewhere) detach(buffer);
      this.#forget(live, "freed");
      if (release && !elsewhere) this.#giveBack(live);
      if (live.extra?.managed !== true) open.push(this.parts.tracker.describe(live, "closed"));
    }
    // What a hook has freed meanwhile.
    this.flush();
    return open;
  }

  #forget(live: Live, state: Exclude<LiveState, "live">): void {
    live.state = state;
    this.#list.remove(live);
    this.#discount(live.size);
  }

  #count(size: number, allocations = 1): void {
    const { account } = this.parts;
    account.allocations += allocations;
    account.blocks++;
    account.bytes += size;
    if (account.bytes > account.peakBytes) account.peakBytes = account.bytes;
  }

  #discount(size: number): void {
    const { account } = this.parts;
    account.blocks--;
    account.bytes -= size;
  }
}
