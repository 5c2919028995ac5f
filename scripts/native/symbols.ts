/**
 * The names in a symbol table, for the linker.
 *
 * @module
 */
import type { SymbolTable } from "../../ffi/types.ts";

/** The names that a library must have, and those that it may have. */
export interface SymbolNames {
  /** Not marked optional. */
  readonly required: readonly string[];
  /** Marked optional. */
  readonly optional: readonly string[];
}

/** The names of a symbol table's rows. */
export function symbolNames(table: SymbolTable): SymbolNames {
  const rows = Object.entries(table);
  return {
    required: rows.filter(([, row]) => row.optional !== true).map(([name]) => name),
    optional: rows.filter(([, row]) => row.optional === true).map(([name]) => name),
  };
}
