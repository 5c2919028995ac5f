/**
 * Blocks: what callers hold of an allocation.
 *
 * @module
 */
import { inspect } from "node:util";
import { foreign } from "../../../ffi/mod.ts";
import { type Address, type NativePointer, NULL } from "../../../ffi/types.ts";
import { BlockError } from "../../errors.ts";
import { ownOptions } from "../../options.ts";
import { alignmentOf, ALLOCATE_OPTIONS, flagOf, FROM_OPTIONS } from "./allocate-options.ts";
import type {
  AllocateFromOptions,
  AllocateOptions,
  Block,
  BlockHandle,
  ViewConstructor,
  ViewOf,
} from "../api/block.ts";
import type { ReallocateOptions } from "../api/block-allocator.ts";
import type { Callee } from "../leaks.ts";
import type { Live } from "./live.ts";
import { bytesOf, LEAST_ALIGNMENT, requireSize } from "../shared/sizes.ts";
import { INSPECT, shownAddress, summarize } from "../shared/inspection.ts";
import { endedError, isElsewhere, requireUsable, shownState } from "./refusals.ts";
import type { Arrival, Store } from "./store.ts";
import { deposit } from "./transfer.ts";
import { viewOf } from "../shared/views.ts";

const REALLOCATE_OPTIONS: readonly (keyof ReallocateOptions)[] = ["zeroed"];
const NO_OPTIONS: AllocateOptions = {};

/** A block of a store. */
export class NativeBlock implements Block {
  readonly #store: Store;
  readonly #record: Live;
  #buffer: ArrayBuffer;
  #bytes: Uint8Array<ArrayBuffer> | null = null;

  /** Makes the block of an allocation. */
  constructor(store: Store, live: Live, buffer: ArrayBuffer) {
    this.#store = store;
    this.#record = live;
    this.#buffer = buffer;
  }

  get size(): number {
    return this.#record.size;
  }

  get live(): boolean {
    return this.#record.state === "live";
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    const bytes = this.#bytes;
    return bytes !== null && bytes.length > 0 ? bytes : this.#viewBytes();
  }

  get buffer(): ArrayBuffer {
    return this.#buffer;
  }

  get address(): Address {
    return this.#usable("use").address;
  }

  get pointer(): NativePointer {
    return foreign().pointer(this.address);
  }

  get usableSize(): number {
    const { calls, source } = this.#store;
    const { address, size, extra } = this.#usable("measure");
    // What another library's function frees is none of this allocator's.
    if (extra !== null && extra.free !== NULL) return size;
    return calls.offheap_usable_size(source, address);
  }

  as<C extends ViewConstructor>(type: C, byteOffset = 0, length?: number): ViewOf<C> {
    requireUsable("view", this.#record, this.#buffer);
    return viewOf(type, this.#buffer, this.#record.size, byteOffset, length);
  }

  free(): void {
    this.#store.free(this.#record, this.#buffer);
  }

  hold<T>(call: PromiseLike<T>): Promise<T> {
    return this.#store.hold(this.#record, this.#buffer, call, this);
  }

  release(): Address {
    this.#leave("release", "released");
    return this.#record.address;
  }

  transfer(): BlockHandle {
    this.#leave("transfer", "transferred");
    return deposit(this.#store, this.#record);
  }

  [Symbol.dispose](): void {
    if (this.live) this.free();
  }

  [INSPECT](): string {
    const { size, address } = this.#record;
    const { state } = this;
    return summarize("Block", { size, address: shownAddress(address, this.live), state });
  }

  /** The record of the allocation. */
  get record(): Live {
    return this.#record;
  }

  /** Where it stands, in a word. */
  get state(): string {
    return shownState(this.#record, this.#buffer);
  }

  /** Whether it is of this store. */
  isOf(store: Store): boolean {
    return this.#store === store;
  }

  /** Whether its buffer is still its own: something else may have detached it. */
  get attached(): boolean {
    return !isElsewhere(this.#record, this.#buffer);
  }

  /** Refuses to go on when something else has detached its buffer. */
  requireAttached(action: string): void {
    requireUsable(action, this.#record, this.#buffer);
  }

  /** Resizes it. */
  resize(size: number, zeroed: boolean): void {
    this.#buffer = this.#store.reallocate(this.#record, this.#buffer, size, zeroed);
    this.#bytes = null;
  }

  /** Detaches its views and wraps it anew. */
  renew(): void {
    this.#buffer = this.#store.rewrap(this.#record, this.#buffer);
    this.#bytes = null;
  }

  /** The bytes where they are not at hand: none after the end. */
  #viewBytes(): Uint8Array<ArrayBuffer> {
    if (!this.live) return this.#bytes ??= new Uint8Array(0);
    requireUsable("view", this.#record, this.#buffer);
    return this.#bytes ??= new Uint8Array(this.#buffer);
  }

  #usable(action: string): Live {
    if (this.#record.state !== "live") throw endedError(action, this.#record);
    return this.#record;
  }

  #leave(action: string, state: "released" | "transferred"): void {
    if (this.#record.state === "live" && !this.#store.whole) {
      throw new BlockError(
        "heap",
        `Cannot ${action} a block of ${this.size} bytes: it belongs to a heap, which is destroyed ` +
          "as a whole. Allocate what is to leave from the allocator itself.",
      );
    }
    this.#store.end(action, this.#record, this.#buffer, state);
  }
}

/**
 * Allocates a block of a store.
 *
 * @param method The user's method that does it.
 * @param inner The function that the method calls.
 */
export function allocateBlock(
  store: Store,
  method: Callee,
  size: number,
  options: AllocateOptions = NO_OPTIONS,
  inner: Callee = allocateBlock,
): NativeBlock {
  const action = "allocate a block";
  requireSize(action, size);
  let alignment = LEAST_ALIGNMENT;
  let zeroed = false;
  let managed = false;
  if (options !== NO_OPTIONS) {
    const own = ownOptions(action, options, ALLOCATE_OPTIONS);
    alignment = alignmentOf(action, own.alignment);
    zeroed = flagOf(action, "zeroed", own.zeroed);
    managed = flagOf(action, "managed", own.managed);
  }
  store.requireOpen(action);
  const trace = managed ? null : store.tracker.trace(method, inner);
  const [live, buffer] = store.allocate(size, alignment, zeroed, "block", trace, managed);
  return new NativeBlock(store, live, buffer);
}

/** Allocates a block with bytes in it, as {@linkcode allocateBlock}. */
export function allocateBlockFrom(
  store: Store,
  method: Callee,
  data: string | ArrayBufferView | ArrayBufferLike,
  options: AllocateFromOptions = {},
): NativeBlock {
  const action = "allocate a block";
  const own = ownOptions(action, options, FROM_OPTIONS);
  const terminated = flagOf(action, "terminated", own.terminated);
  const bytes = bytesOf(action, data);
  const size = bytes.length + (terminated ? 1 : 0);
  const { alignment, managed } = own;
  const block = allocateBlock(store, method, size, { alignment, managed }, allocateBlockFrom);
  block.bytes.set(bytes);
  if (terminated) block.bytes[bytes.length] = 0;
  return block;
}

/** What every copy of offheap knows a block by. */
const BRAND: unique symbol = Symbol.for("offheap.block");
Object.defineProperty(NativeBlock.prototype, BRAND, { value: true });

function isOfOtherCopy(block: unknown): boolean {
  return typeof block === "object" && block !== null && Reflect.get(block, BRAND) === true;
}

/** The block of memory that was taken over by its handle. */
export function claimBlock(store: Store, claimed: Arrival, trace: string | null): NativeBlock {
  try {
    return new NativeBlock(store, ...store.adopt(claimed, trace));
  } catch (error) {
    // Nobody else can claim it any more.
    store.release(claimed.address, claimed.free);
    throw error;
  }
}

/** Resizes a block of a store. */
export function reallocateBlock(
  store: Store,
  block: Block,
  size: number,
  options: ReallocateOptions = {},
): Block {
  const action = "reallocate a block";
  const own = ownBlock(store, action, block);
  requireSize(action, size);
  const { zeroed } = ownOptions(action, options, REALLOCATE_OPTIONS);
  own.resize(size, flagOf(action, "zeroed", zeroed));
  return own;
}

/**
 * A block that is of this store.
 *
 * @throws {BlockError} when it is of another; {TypeError} for what is no block.
 */
export function ownBlock(store: Store, action: string, block: Block): NativeBlock {
  if (!(block instanceof NativeBlock)) {
    if (isOfOtherCopy(block)) {
      throw new BlockError(
        "foreign",
        `Cannot ${action}: it is of another copy of offheap in this program, perhaps another ` +
          "version. Its own methods free, release and transfer it.",
      );
    }
    throw new TypeError(`Cannot ${action}: it must be one of offheap's; got ${inspect(block)}`);
  }
  if (block.isOf(store)) return block;
  throw new BlockError(
    "foreign",
    `Cannot ${action} of ${block.size} bytes: it does not belong to ${store.what}.`,
  );
}
