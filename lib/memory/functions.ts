/**
 * The addresses of an allocator's functions.
 *
 * @module
 */
import type { Address } from "../../ffi/types.ts";
import type { NativeFunctions } from "./api/functions.ts";
import type { MemoryCalls } from "./shared/native.ts";

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
