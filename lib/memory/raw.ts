/**
 * The C functions, without anything in between.
 *
 * @module
 */
import type { Address } from "../../ffi/types.ts";
import { ClosedError } from "../errors.ts";
import type { RawAllocator } from "./api/raw.ts";
import type { MemoryCalls } from "./shared/native.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** The functions of one source, and how to end them. */
export interface RawFunctions {
  /** The functions. */
  readonly raw: RawAllocator;
  /** Makes each of them throw from then on. */
  close(): void;
}

/** Binds the functions to a source. */
export function openRaw(calls: MemoryCalls, source: Address): RawFunctions {
  const {
    offheap_malloc,
    offheap_calloc,
    offheap_realloc,
    offheap_free,
    offheap_aligned_alloc,
    offheap_usable_size,
  } = calls;
  const raw: Mutable<RawAllocator> = {
    malloc: (size) => offheap_malloc(source, size),
    calloc: (count, size) => offheap_calloc(source, count, size),
    realloc: (address, size) => offheap_realloc(source, address, size),
    free: (address) => offheap_free(source, address),
    alignedAlloc: (alignment, size) => offheap_aligned_alloc(source, alignment, size),
    usableSize: (address) => offheap_usable_size(source, address),
  };
  return {
    raw,
    close() {
      for (const name of Object.keys(raw) as (keyof RawAllocator)[]) {
        raw[name] = () => {
          throw new ClosedError(`call ${name}`, "the allocator was closed");
        };
      }
    },
  };
}
