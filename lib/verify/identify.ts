/**
 * Which allocator an object file that serves `malloc` claims to be, by its symbols.
 *
 * @module
 */
import { basename } from "node:path";
import { ALLOCATORS, type ProcessAllocator } from "../allocators/mod.ts";
import { system } from "../system/mod.ts";
import type { SymbolLocation } from "../system/types.ts";

/** What an object claims to be, and the symbol by which it does. */
export interface Claim {
  /** The allocator. */
  readonly name: ProcessAllocator;
  /** The symbol; `null` for an object that claims nothing. */
  readonly symbol: string | null;
  /** Where the symbol is. */
  readonly location: SymbolLocation | null;
}

/**
 * The allocators that this process finds by their symbols, wherever they are: where they take over
 * by zones, each of them may be the one.
 */
export function loadedAllocators(): Claim[] {
  return ALLOCATORS.filter(({ mark }) => mark.file === undefined).flatMap(({ name, mark }) => {
    const found = mark.symbols.map((symbol) => ({ symbol, location: system().findSymbol(symbol) }))
      .find(({ location }) => location !== null && location.object !== null);
    return found === undefined ? [] : [{ name, ...found }];
  });
}

/** What an object that is loaded claims to be. */
export function identifyObject(object: string): Claim {
  for (const { name, mark } of ALLOCATORS) {
    if (mark.file?.test(basename(object)) === false) continue;
    for (const symbol of mark.symbols) {
      const location = system().findSymbolIn(object, symbol);
      if (location !== null) return { name, symbol, location };
    }
  }
  return { name: "unknown", symbol: null, location: null };
}
