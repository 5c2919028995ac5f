/**
 * The names in symbol tables, for the linker.
 *
 * @module
 */
import type { SymbolTable } from "../../../ffi/types.ts";

/** The names that a library must have, and those that it may have. */
export interface SymbolNames {
  /** Not marked optional. */
  readonly required: readonly string[];
  /** Marked optional. */
  readonly optional: readonly string[];
}

/**
 * The names of symbol tables' rows.
 *
 * @param more Names that are required besides.
 */
export function symbolNames(
  tables: readonly SymbolTable[],
  more: readonly string[] = [],
): SymbolNames {
  const rows = tables.flatMap((table) => Object.entries(table));
  const required = rows.filter(([, row]) => row.optional !== true).map(([name]) => name);
  return {
    required: [...new Set([...required, ...more])],
    optional: rows.filter(([, row]) => row.optional === true).map(([name]) => name),
  };
}
