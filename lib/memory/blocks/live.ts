/**
 * The allocations that are in use: what is needed to free them, kept without keeping their buffers
 * alive.
 *
 * @module
 */
import { type Address, NULL } from "../../../ffi/types.ts";
import type { LeakKind } from "../leaks.ts";
import { AddressIndex } from "./address-index.ts";
import { Holds } from "../shared/holds.ts";
import { type Reclaimable, unwatch, watch } from "../shared/reclaim.ts";

/** The state of an allocation. */
export type LiveState = "live" | "freed" | "released" | "transferred";

/** A place in a list that is closed to a ring: an entry needs no list to be taken out. */
class Link {
  /** The next one. */
  next: Link = this;
  /** The one before. */
  previous: Link = this;

  /** Puts an entry after this one. */
  insert(entry: Link): void {
    const { next } = this;
    entry.next = next;
    entry.previous = this;
    next.previous = entry;
    this.next = entry;
  }

  /** Takes this entry out. */
  unlink(): void {
    this.previous.next = this.next;
    this.next.previous = this.previous;
  }
}

/** Who frees an allocation that was collected. */
export interface LiveOwner {
  /** Its JavaScript side is gone. */
  reclaim(live: Live): void;
}

/** What few allocations have. */
export interface Extra {
  /** The native function that frees it; `NULL` for the allocator's own. */
  readonly free: Address;
  /** Whether the garbage collector is to free it: dropping it is no leak. */
  readonly managed: boolean;
  /** The asynchronous calls that use it. */
  readonly holds: Holds;
}

/** One allocation. The block that callers see holds it, and never the other way round. */
export class Live extends Link implements Reclaimable {
  /** The store that it is of. */
  readonly owner: LiveOwner;
  /** Its first byte. */
  address: Address;
  /** The size asked for, in bytes. */
  size: number;
  /** The alignment asked for, in bytes. */
  readonly alignment: number;
  /** What it was allocated as. */
  readonly kind: LeakKind;
  /** Where it was allocated, when that was sampled. */
  readonly trace: string | null;
  /** Its state. */
  state: LiveState = "live";
  /** Whether the allocator may keep its memory for the next block: what was adopted may be larger. */
  reusable = true;
  /** Its buffer, while it is young. */
  buffer: ArrayBuffer | null;
  /** Its buffer, later: held weakly, so that it is collected when the caller drops it. */
  reference: WeakRef<ArrayBuffer> | null = null;
  /** What only few have. */
  extra: Extra | null = null;
  /** Called when it was collected. */
  onCollected: WeakRef<Collectable> | null = null;

  /** Makes the record of an allocation. */
  constructor(
    owner: LiveOwner,
    address: Address,
    size: number,
    alignment: number,
    kind: LeakKind,
    trace: string | null,
    buffer: ArrayBuffer,
  ) {
    super();
    this.owner = owner;
    this.address = address;
    this.size = size;
    this.alignment = alignment;
    this.kind = kind;
    this.trace = trace;
    this.buffer = buffer;
  }

  /** The asynchronous calls that use it. */
  get holds(): Holds {
    this.extra ??= { free: NULL, managed: false, holds: new Holds() };
    return this.extra.holds;
  }

  /** Whether an asynchronous call uses it. */
  get held(): boolean {
    return this.extra?.holds.any === true;
  }

  /** Its JavaScript side was collected. */
  reclaim(): void {
    this.owner.reclaim(this);
  }
}

/** What wants to know of an allocation that was collected. */
export interface Collectable {
  /** One allocation of it was collected, and is freed. */
  collected(): void;
}

/**
 * The list of a store. Entries hold their buffers strongly until the running job ends, and weakly
 * from then on, when they are watched for being dropped, too: a WeakRef and an entry for the
 * collector cost more than a block that lives for a moment should, and nothing is collected within
 * a job anyway.
 */
export class LiveList {
  readonly #young = new Link();
  readonly #old = new Link();
  /** The old ones, from the first time that an address is asked for. */
  #index: AddressIndex<Live> | null = null;
  #scheduled = false;

  /** Adds an entry. */
  add(live: Live): void {
    this.#young.insert(live);
    if (!this.#scheduled) this.#schedule();
  }

  /** Takes an entry out. */
  remove(live: Live): void {
    live.unlink();
    if (live.buffer === null) {
      unwatch(live);
      this.#index?.remove(live);
    }
    live.buffer = null;
    live.reference = null;
  }

  /** An entry's buffer is another one now, and its memory may be. */
  renew(live: Live, buffer: ArrayBuffer, address: Address, size: number): void {
    this.remove(live);
    live.address = address;
    live.size = size;
    live.buffer = buffer;
    this.add(live);
  }

  /** All entries that there are now and that are still live when their turn comes. */
  *[Symbol.iterator](): Generator<Live> {
    const all: Live[] = [];
    for (const ring of [this.#young, this.#old]) {
      for (let link = ring.next; link !== ring; link = link.next) all.push(link as Live);
    }
    for (const live of all) if (live.state === "live") yield live;
  }

  /** The entry that an address is in; `null` when there is none. */
  at(address: Address): Live | null {
    this.#age();
    if (this.#index === null) {
      this.#index = new AddressIndex();
      for (const live of this) this.#index.add(live);
    }
    return this.#index.at(address);
  }

  #schedule(): void {
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#age();
    });
  }

  #age(): void {
    for (let link = this.#young.next; link !== this.#young; link = this.#young.next) {
      const live = link as Live;
      if (live.buffer !== null) {
        live.reference = new WeakRef(live.buffer);
        watch(live.buffer, live);
      }
      live.buffer = null;
      live.unlink();
      this.#old.insert(live);
      this.#index?.add(live);
    }
  }
}

/** The buffer of an entry; `null` when it was collected. */
export function bufferOf(live: Live): ArrayBuffer | null {
  return live.buffer ?? live.reference?.deref() ?? null;
}
