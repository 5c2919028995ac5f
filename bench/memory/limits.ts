/**
 * The upper bounds of the ratios: what `--check` fails by.
 *
 * @module
 */
import type { RuntimeName } from "../../tools/runtimes.ts";
import type { Row } from "./rows.ts";

const RUNTIMES: readonly RuntimeName[] = ["deno", "bun", "node26", "node22"];

/** The case, and its bounds in the order of the runtimes; `null` where it is not measured. */
const LIMITS: Readonly<Record<string, readonly (number | null)[]>> = {
  "raw/malloc-free-64": [1.2, 1.2, 1.2, 1.2],
  "cached/malloc-free-64": [0.3, 0.3, 0.05, 0.1],
  "cached/malloc-free-64/c": [0.6, 0.8, 0.8, 1],
  "cached/churn-1000": [1.5, 2, 2, 2],
  "block/65536": [0.2, 1, 0.4, 0.35],
  "block/1048576": [0.05, 0.8, 0.1, 0.1],
  "pool/65536": [0.02, 0.05, 0.03, 0.03],
  "arena/64x1000": [0.3, 1.2, 0.8, 0.8],
  "koffi/alloc-free-1024": [null, null, 0.2, 0.2],
};

/** The bound of a row's ratio; `null` when it has none. */
export function limitOf({ case: name, runtime }: Pick<Row, "case" | "runtime">): number | null {
  return LIMITS[name]?.[RUNTIMES.indexOf(runtime)] ?? null;
}

/** Whether a row is above its bound. */
export function isAbove(row: Row): boolean {
  const limit = limitOf(row);
  return limit !== null && !(row.ratio <= limit);
}
