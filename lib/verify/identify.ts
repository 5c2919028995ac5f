/**
 * Which allocator an object file that serves `malloc` claims to be, by its symbols.
 *
 * @module
 */
import { basename } from "node:path";
import { JEMALLOC_PREFIX } from "../../ffi/symbols/jemalloc.ts";
import { system } from "../system/mod.ts";
import type { SymbolLocation } from "../system/types.ts";
import type { ProcessAllocator } from "./types.ts";

/** How an allocator's object file is known. */
export interface Mark {
  /** The allocator. */
  readonly name: Exclude<ProcessAllocator, "unknown">;
  /** The object is this allocator when it defines one of these. */
  readonly symbols: readonly string[];
  /** The object's file name must match, too. */
  readonly file?: RegExp;
}

/** In order: the allocators, then the C libraries. */
export const MARKS: readonly Mark[] = [
  { name: "jemalloc", symbols: [`${JEMALLOC_PREFIX}mallctl`] },
  { name: "mimalloc", symbols: ["mi_version"] },
  {
    name: "tcmalloc",
    symbols: ["tc_version", "MallocExtension_ReleaseFreeMemory", "TCMallocInternalMalloc"],
  },
  { name: "glibc", symbols: ["gnu_get_libc_version"] },
  { name: "musl", symbols: ["__libc_start_main"], file: /^(ld-musl|libc\.musl|libc\.so)/ },
  { name: "system", symbols: ["malloc"], file: /^libsystem_malloc|^ucrtbase\.dll$/i },
];

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
  return MARKS.filter(({ file }) => file === undefined).flatMap(({ name, symbols }) => {
    const found = symbols.map((symbol) => ({ symbol, location: system().findSymbol(symbol) }))
      .find(({ location }) => location !== null && location.object !== null);
    return found === undefined ? [] : [{ name, ...found }];
  });
}

/** What an object that is loaded claims to be. */
export function identifyObject(object: string): Claim {
  for (const { name, symbols, file } of MARKS) {
    if (file !== undefined && !file.test(basename(object))) continue;
    for (const symbol of symbols) {
      const location = system().findSymbolIn(object, symbol);
      if (location !== null) return { name, symbol, location };
    }
  }
  return { name: "unknown", symbol: null, location: null };
}
