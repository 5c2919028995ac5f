/**
 * The addresses of an allocator's functions.
 *
 * @module
 */
import type { Address } from "../../ffi/types.ts";
import type { MemoryCalls } from "../allocators/memory.ts";

/**
 * Functions that take a context as their first argument, as many C libraries call the allocator that
 * they were given.
 */
export interface ContextFunctions {
  /** What to give the library as the context: `opaque`, `pUserData`. */
  readonly context: Address;
  /** `void *malloc(void *context, size_t size)`: brotli, zstd. */
  readonly malloc: Address;
  /** `void *calloc(void *context, unsigned count, unsigned size)`: zlib's `zalloc`, bzip2. */
  readonly calloc: Address;
  /** `void free(void *context, void *block)`: the other half of each of these. */
  readonly free: Address;
  /** `void *(void *context, size_t size, size_t alignment, int scope)`: Vulkan's `pfnAllocation`. */
  readonly alignedMalloc: Address;
  /** `void *(void *context, void *block, size_t size, size_t alignment, int scope)`: Vulkan's. */
  readonly alignedRealloc: Address;
}

/**
 * The addresses of an allocator's functions, for native libraries that take functions to allocate
 * by. Any thread may call them, also after the allocator was closed: they stay as long as the
 * process. What a library allocates by them is its own, and counts in no statistics of offheap's.
 *
 * Where a pointer is declared, `nativePointer` makes one of each; in a struct they are 64 bits.
 *
 * @example What zlib and bzip2 take: two functions and a context, in a struct
 * ```ts
 * import { openAllocator } from "@offheap/offheap";
 *
 * const memory = openAllocator();
 * const stream = memory.allocate(112, { zeroed: true }); // zlib's z_stream on 64-bit systems
 * const { context, calloc, free } = memory.functions.withContext;
 * stream.as(BigUint64Array).set([calloc, free, context].map(BigInt), 8); // zalloc, zfree, opaque
 * console.log(stream.as(BigUint64Array)[10] === BigInt(context));
 * stream.free();
 * memory.close();
 * ```
 */
export interface NativeFunctions {
  /** `void *malloc(size_t size)`. */
  readonly malloc: Address;
  /** `void *calloc(size_t count, size_t size)`. */
  readonly calloc: Address;
  /** `void *realloc(void *block, size_t size)`. */
  readonly realloc: Address;
  /** `void free(void *block)`. */
  readonly free: Address;
  /** `size_t malloc_usable_size(void *block)`. */
  readonly usableSize: Address;
  /** The same with a context. */
  readonly withContext: ContextFunctions;
}

/** The order of `offheap_functions` in functions.c. */
const PLAIN = ["malloc", "calloc", "realloc", "free", "usableSize"] as const;
const WITH_CONTEXT = ["malloc", "calloc", "free", "alignedMalloc", "alignedRealloc"] as const;

/** Asks the shim for the functions of a source. */
export function readFunctions(calls: MemoryCalls, source: Address): NativeFunctions {
  const out = new Float64Array(PLAIN.length + WITH_CONTEXT.length);
  calls.offheap_functions(source, out);
  const named = <N extends string>(names: readonly N[], first: number): Record<N, Address> =>
    Object.fromEntries(names.map((name, index) => [name, out[first + index]])) as Record<
      N,
      Address
    >;
  return {
    ...named(PLAIN, 0),
    withContext: { context: source, ...named(WITH_CONTEXT, PLAIN.length) },
  };
}
