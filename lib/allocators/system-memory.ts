/**
 * The system's allocator: malloc and free, and little that can be asked.
 *
 * @module
 */
import { foreign } from "../../ffi/mod.ts";
import { GLIBC_MALLOC_SYMBOLS } from "../../ffi/symbols/libc.ts";
import { UnsupportedOperationError } from "../errors.ts";
import type { AllocatorKind } from "./memory.ts";

function unsupported(action: string): never {
  throw new UnsupportedOperationError(
    `Cannot ${action}: the system's allocator has no such function. Open jemalloc or mimalloc.`,
  );
}

/** Opens the system's functions. */
export function openSystemKind(): AllocatorKind {
  const { calls } = foreign().open(null, GLIBC_MALLOC_SYMBOLS);
  return {
    number: 3,
    goodSize: () => unsupported("tell the size that would be set aside"),
    knowsOwn: false,
    owns: () => unsupported("ask for the owner of an address"),
    collect() {
      // Where libc has no such function, it has nothing that could be given back by one.
      calls.malloc_trim?.(0);
    },
    heaps: {
      most: 0,
      create: () => unsupported("make a heap"),
      destroy: () => unsupported("destroy a heap"),
      wantEmpty: false,
      counters: () => unsupported("read a heap's statistics"),
    },
  };
}
