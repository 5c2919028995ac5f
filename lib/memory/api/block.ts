/**
 * What a block of native memory offers.
 *
 * @module
 */
import type { Address, NativePointer } from "../../../ffi/types.ts";

/**
 * A typed array's constructor, or that of `DataView`; also a variable that may be any of them.
 *
 * @example
 * ```ts
 * import { openAllocator, type ViewConstructor, type ViewOf } from "@offheap/offheap";
 *
 * const memory = openAllocator();
 * const block = memory.allocate(64, { zeroed: true });
 * function viewAs<C extends ViewConstructor>(type: C): ViewOf<C> {
 *   return block.as(type);
 * }
 * for (const type of [Float64Array, Uint16Array]) console.log(viewAs(type).length);
 * block.free();
 * memory.close();
 * ```
 */
export interface ViewConstructor {
  /** Makes a view of `length` elements, or bytes for a `DataView`, from a byte offset on. */
  new (buffer: ArrayBuffer, byteOffset: number, length: number): ArrayBufferView;
  /** An element's size in bytes; a `DataView` has none, and 1 is taken. */
  readonly BYTES_PER_ELEMENT?: number;
}

/** The view that a constructor makes over a block's memory, such as `Float64Array<ArrayBuffer>`. */
export type ViewOf<C extends ViewConstructor> = C extends
  new (buffer: ArrayBuffer, byteOffset: number, length: number) => infer V
  ? V extends DataView ? DataView<ArrayBuffer> : V
  : never;

/**
 * How a block is allocated.
 *
 * @example
 * ```ts
 * import { openAllocator } from "@offheap/offheap";
 *
 * const memory = openAllocator();
 * const page = memory.allocate(4096, { alignment: 4096, zeroed: true });
 * console.log(page.address % 4096, page.bytes[4095]);
 * page.free();
 * memory.close();
 * ```
 */
export interface AllocateOptions {
  /**
   * The address is a multiple of it: a power of two, in bytes, from 1 to 2^30. Without it, 16 for a
   * block, which never has less, and 8 in an arena.
   */
  readonly alignment?: number | undefined;
  /** Fill the memory with zeros. Without it the bytes are what they last were. */
  readonly zeroed?: boolean | undefined;
  /**
   * Leave it to the garbage collector to free the block, some time after the last view of it was
   * dropped, as it is with an ordinary array: that is no leak then, and no stack is recorded.
   * {@linkcode Block.free} frees it at once all the same.
   */
  readonly managed?: boolean | undefined;
}

/**
 * How a block is allocated for bytes that are there already.
 *
 * @example
 * ```ts
 * import { openAllocator } from "@offheap/offheap";
 *
 * const memory = openAllocator();
 * const text = memory.allocateFrom("hi", { terminated: true });
 * console.log(text.size, text.bytes.join(" "));
 * text.free();
 * memory.close();
 * ```
 */
export interface AllocateFromOptions {
  /** As in {@linkcode AllocateOptions}. */
  readonly alignment?: number | undefined;
  /** Put a zero byte behind the bytes, as C strings have it; it counts in the block's size. */
  readonly terminated?: boolean | undefined;
  /** As in {@linkcode AllocateOptions}. */
  readonly managed?: boolean | undefined;
}

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

/**
 * A block of native memory. It belongs to whoever allocated it until it is freed, released or
 * transferred; from then on its views have length 0, and its address cannot be had from it.
 *
 * Its buffer must not be put on a transfer list, nor be detached otherwise: its memory would then
 * be reachable behind the block's back, {@linkcode Block.free} refuses to free it, and dropping the
 * block would free memory that the other end still sees. What moves a block to another thread is
 * {@linkcode Block.transfer}.
 *
 * A block must not end while an asynchronous operation of the runtime, such as a write to a socket,
 * works on a view of it: the operation has the address, and goes on with whatever lies there next.
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
   * The bytes that the allocator really set aside, at least {@linkcode Block.size}. Those behind
   * the size are in no view.
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
   * @returns What the call comes to; a rejection is the caller's to handle.
   * @throws {BlockError} after the block's end.
   * @throws {TypeError} for what is no promise.
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
