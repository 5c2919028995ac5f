/**
 * Loops besides those of bench/memory/loops.ts: one half of a pair each. They refer to nothing
 * outside, as the others.
 *
 * @module
 */
import type { Address, RawAllocator } from "../../../mod.ts";
import type { Loop } from "../../memory/measure.ts";

/** malloc, into a table of addresses. */
export function mallocs(raw: RawAllocator, size: number, table: Float64Array): Loop {
  return (count) => {
    for (let i = 0; i < count; i++) table[i] = raw.malloc(size);
    return table;
  };
}

/** free, out of the table. */
export function frees(raw: RawAllocator, table: Float64Array): Loop {
  return (count) => {
    for (let i = 0; i < count; i++) raw.free(table[i] as Address);
    return table;
  };
}
