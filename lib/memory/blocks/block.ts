/**
 * Blocks: what callers hold of an allocation.
 *
 * @module
 */
import { ffi } from "../../../ffi/mod.ts";
import { type Address, type NativePointer, NULL } from "../../../ffi/types.ts";
import { BlockError } from "../../errors.ts";
import { glance } from "../../options.ts";
import { INSPECT, shownAddress, summarize } from "../shared/inspection.ts";
import { type ViewConstructor, type ViewOf, viewOf } from "../shared/views.ts";
import type { Live } from "./live.ts";
import { endedError, isElsewhere, requireUsable, shownState } from "./refusals.ts";
import type { Arrival, Store } from "./store.ts";
import { type BlockHandle, deposit } from "./transfer.ts";

/**
 * A block of native memory. It belongs to whoever allocated it until it is freed, released or
 * transferred; from then on its views have length 0, and its address cannot be had from it.
 *
 * Its buffer must not be put on a transfer list, nor be detached otherwise: its memory would then
 * be reachable without the block, {@linkcode Block.free} refuses to free it, and dropping the
 * block would free memory that the other end still sees. What moves a block to another thread is
 * {@linkcode Block.transfer}.
 *
 * A block must not end while an asynchronous operation of the runtime, such as a write to a socket,
 * works on a view of it: the operation has the address, and goes on with whatever is there next.
 *
 * A block that is dropped without being freed is freed some time after the last view of it was
 * collected, and counts as a leak. Keep the block while native code uses its address, or
 * {@linkcode Block.release} it.
 *
 * @example
 * ```ts
 * import { openAllocator } from "@offheap/offheap";
 *
 * const memory = openAllocator();
 * const block = memory.allocate(1024);
 * const numbers = block.as(Float64Array);
 * numbers[0] = 0.5;
 * console.log(numbers.length, block.address % 16);
 * block.free();
 * console.log(numbers.length);
 * memory.close();
 * ```
 */
export interface Block extends Disposable {
  /** The size asked for, in bytes. */
  readonly size: number;
  /** Whether the block can be used: not freed, released or transferred. */
  readonly live: boolean;
  /**
   * All of its bytes; empty after the block's end. After a reallocation it is another view.
   *
   * @throws {BlockError} when something else has detached the buffer.
   */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The buffer that all views of the block share; detached at the block's end. */
  readonly buffer: ArrayBuffer;
  /**
   * The address of its first byte.
   *
   * @throws {BlockError} after the block's end.
   */
  readonly address: Address;
  /**
   * The address as this runtime's own FFI takes it: a `Deno.PointerObject`, a number in Bun, a
   * bigint for `node:ffi` and for koffi.
   *
   * @throws {BlockError} after the block's end.
   */
  readonly pointer: NativePointer;
  /**
   * The usable size in bytes, at least {@linkcode Block.size}. No view has the bytes past the end
   * of the size.
   *
   * @throws {BlockError} after the block's end.
   */
  readonly usableSize: number;
  /**
   * A view of the block as elements of another type, such as `Float64Array`, or as a `DataView`.
   *
   * @param byteOffset Where it begins; a multiple of the element's size. 0 without it.
   * @param length How many elements; as many as fit without it.
   * @throws {RangeError} when it does not fit the block.
   * @throws {BlockError} after the block's end, or when something else has detached the buffer.
   */
  as<C extends ViewConstructor>(type: C, byteOffset?: number, length?: number): ViewOf<C>;
  /**
   * Gives the memory back, and detaches every view. Await what still works on a view of it before.
   *
   * @throws {BlockError} when the block was freed, released or transferred before, or its buffer
   * was detached by something else.
   */
  free(): void;
  /**
   * Keeps the memory for an asynchronous native call, which has its address. Until the call has
   * ended the block is not collected, and cannot be released, transferred or resized; when it is
   * freed, or its allocator closed, its views end at once, and its memory when the call has ended.
   *
   * @param call What the call gave: the memory stays until it is settled.
   * @returns The result of the call; a rejection is the caller's to handle.
   * @throws {BlockError} after the block's end.
   * @throws {TypeError} for what is not a promise.
   */
  hold<T>(call: PromiseLike<T>): Promise<T>;
  /**
   * Ends offheap's ownership: native code that was given the address now frees it, with the free
   * function of the same allocator. Every view is detached.
   *
   * @returns The address.
   * @throws {BlockError} as {@linkcode Block.free}, for a block that an asynchronous call uses, and
   * for a block of a heap, which is destroyed as a whole.
   */
  release(): Address;
  /**
   * Gives the block up to whoever claims the handle first: post it to a worker, which passes it to
   * {@linkcode Allocator.claim} of an allocator over the same library. Nothing is copied; every
   * view here is detached. A handle that nobody claims keeps its memory allocated.
   *
   * @throws {BlockError} as {@linkcode Block.release}.
   */
  transfer(): BlockHandle;
  /** Frees the block, unless it has ended already: `using` calls it. */
  [Symbol.dispose](): void;
}

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
    return ffi().pointer(this.address);
  }

  get usableSize(): number {
    const { calls, source } = this.#store.parts;
    const { address, size, extra } = this.#usable("measure");
    // What another library's function frees is not this allocator's.
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

  /** Its state, in a word. */
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

  /** Detaches its views and wraps it again. */
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
    if (this.#record.state === "live" && this.#store.parts.depositor === NULL) {
      throw new BlockError(
        "heap",
        `Cannot ${action} a block of ${this.size} bytes: it belongs to a heap, which is destroyed ` +
          "as a whole. Allocate what is to leave from the allocator itself.",
      );
    }
    this.#store.end(action, this.#record, this.#buffer, state);
  }
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

/**
 * A block that is of this store.
 *
 * @throws {BlockError} when it is of another; {TypeError} for what is not a block.
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
    throw new TypeError(`Cannot ${action}: it must be one of offheap's; got ${glance(block)}`);
  }
  if (block.isOf(store)) return block;
  throw new BlockError(
    "foreign",
    `Cannot ${action} of ${block.size} bytes: it does not belong to ${store.parts.what}.`,
  );
}
