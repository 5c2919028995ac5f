/**
 * Looking at memory that is somebody else's.
 *
 * @module
 */
import { isPermissionRefusal, permissionError } from "../../ffi/errors.ts";
import { ffi } from "../../ffi/mod.ts";
import type { Address, NativePointer } from "../../ffi/types.ts";
import { BlockError } from "../errors.ts";
import { ownOptions } from "../options.ts";
import type { ViewConstructor, ViewOf } from "./shared/views.ts";
import { detach, wrapBytes } from "./shared/buffers.ts";
import { INSPECT, shownAddress, summarize } from "./shared/inspection.ts";
import { requireShim } from "./shared/native.ts";
import { requireAddress, requireSize } from "./shared/arguments.ts";
import { viewOf } from "./shared/views.ts";

/** How memory is borrowed. */
export interface BorrowOptions {
  /**
   * What the memory belongs to, such as the object that closes a library or unmaps a file: it is not
   * collected as long as a view of the memory is there.
   */
  readonly owner?: object | undefined;
}

/**
 * A look at memory that offheap neither allocated nor frees: static or mapped memory of a library,
 * or an address that `raw` gave. Whoever owns it must keep it as long as the look lasts;
 * {@linkcode Borrowed.end} ends every view, and is to be called before the owner frees the memory.
 *
 * @example
 * ```ts
 * import { borrow, openAllocator } from "@offheap/offheap";
 *
 * const memory = openAllocator();
 * const address = memory.raw.calloc(4, 8);
 * const borrowed = borrow(address, 32, { owner: memory });
 * const numbers = borrowed.as(Float64Array).fill(0.5);
 * console.log(numbers.length, borrowed.address === address);
 * borrowed.end();
 * memory.raw.free(address);
 * console.log(numbers.length);
 * memory.close();
 * ```
 */
export interface Borrowed extends Disposable {
  /** Its size in bytes. */
  readonly size: number;
  /** Whether it can be looked at: {@linkcode Borrowed.end} was not called. */
  readonly live: boolean;
  /**
   * All of its bytes; empty after the end.
   *
   * @throws {BlockError} when something else has detached the buffer.
   */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The buffer that all views share; detached at the end. */
  readonly buffer: ArrayBuffer;
  /**
   * The address of its first byte.
   *
   * @throws {BlockError} after the end.
   */
  readonly address: Address;
  /**
   * The address as this runtime's own FFI takes it, see {@linkcode NativePointer}.
   *
   * @throws {BlockError} after the end.
   */
  readonly pointer: NativePointer;
  /**
   * A view as elements of another type, as that of a block.
   *
   * @throws {RangeError} when it does not fit.
   * @throws {BlockError} after the end, or when something else has detached the buffer.
   */
  as<C extends ViewConstructor>(type: C, byteOffset?: number, length?: number): ViewOf<C>;
  /**
   * Detaches every view; the memory is left as it is.
   *
   * @throws {BlockError} when it was ended before, or something else has detached the buffer.
   */
  end(): void;
  /** Ends it, unless that was done: `using` calls it. */
  [Symbol.dispose](): void;
}

const ACTION = "borrow memory";
const OPTION_NAMES: readonly (keyof BorrowOptions)[] = ["owner"];

/** Every buffer keeps what its memory belongs to. */
const owners = new WeakMap<ArrayBuffer, object>();

/** Memory at an address. */
class BorrowedMemory implements Borrowed {
  readonly size: number;
  readonly buffer: ArrayBuffer;
  readonly #address: Address;
  #live = true;

  constructor(address: Address, size: number) {
    this.size = size;
    this.buffer = wrapBytes(address, size);
    this.#address = address;
  }

  get live(): boolean {
    return this.#live;
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    if (!this.#live) return new Uint8Array(0);
    this.#requireAttached("view");
    return new Uint8Array(this.buffer);
  }

  get address(): Address {
    this.#requireLive("use");
    return this.#address;
  }

  get pointer(): NativePointer {
    return ffi().pointer(this.address);
  }

  as<C extends ViewConstructor>(type: C, byteOffset = 0, length?: number): ViewOf<C> {
    this.#requireAttached("view");
    return viewOf(type, this.buffer, this.size, byteOffset, length);
  }

  end(): void {
    this.#requireAttached("end the use of");
    detach(this.buffer);
    this.#live = false;
  }

  [Symbol.dispose](): void {
    if (this.#live) this.end();
  }

  [INSPECT](): string {
    const address = shownAddress(this.#address, this.#live);
    const state = !this.#live ? "ended" : this.#isElsewhere() ? "detached" : "live";
    return summarize("Borrowed", { size: this.size, address, state });
  }

  #isElsewhere(): boolean {
    return this.size > 0 && this.buffer.byteLength === 0;
  }

  #requireLive(action: string): void {
    if (this.#live) return;
    const what = `${this.size} bytes of borrowed memory`;
    throw new BlockError("ended", `Cannot ${action} ${what}: its use was ended before.`);
  }

  #requireAttached(action: string): void {
    this.#requireLive(action);
    if (!this.#isElsewhere()) return;
    throw new BlockError(
      "detached",
      `Cannot ${action} ${this.size} bytes of borrowed memory: its buffer was detached by something ` +
        "else, such as a transfer list, and may be in use there.",
    );
  }
}

/**
 * A look at memory that is not offheap's to free: static or mapped memory of a library, or an
 * address that `raw` gave. Nothing is copied, and nothing is checked but the numbers: the memory
 * must be there, and stay as long as it is looked at.
 *
 * @param address Where it begins.
 * @param size Its size in bytes; 0 gives empty views.
 * @throws {RangeError} for what is not an address or a size, and for a size that this runtime's
 * buffers cannot have (above 4 GiB in Bun).
 * @throws {TypeError} for bad options.
 * @throws {LibraryLoadError} in Node 22 and 24, when offheap's shim, which makes the buffers there,
 * cannot be found or loaded.
 * @throws {PermissionError} when the runtime does not permit FFI.
 * @example
 * ```ts
 * import { borrow, nativePointer, openAllocator } from "@offheap/offheap";
 *
 * const memory = openAllocator();
 * const block = memory.allocateFrom("header|body");
 * const body = borrow(block.address, 6, { owner: block }); // as a library would give it
 * console.log(new TextDecoder().decode(body.bytes), nativePointer(body.address) !== null);
 * body.end();
 * block.free();
 * memory.close();
 * ```
 */
export function borrow(address: Address, size: number, options: BorrowOptions = {}): Borrowed {
  requireAddress(ACTION, address);
  requireSize(ACTION, size);
  const { owner } = ownOptions(ACTION, options, OPTION_NAMES);
  if (owner !== undefined && (typeof owner !== "object" || owner === null)) {
    throw new TypeError(`Cannot ${ACTION}: the owner must be an object; got ${String(owner)}`);
  }
  try {
    // The buffers of such a runtime are to be the same before an allocator is open as afterwards.
    if (ffi().useShim !== null) requireShim();
    const borrowed = new BorrowedMemory(address, size);
    if (owner !== undefined) owners.set(borrowed.buffer, owner);
    return borrowed;
  } catch (error) {
    if (isPermissionRefusal(error)) throw permissionError(ACTION, "--allow-ffi", error);
    throw error;
  }
}
