/**
 * jemalloc: arenas as heaps, purging by mallctl.
 *
 * @module
 */
import { BUILD_COMMAND } from "../../build-command.ts";
import { JEMALLOC_PREFIX, JEMALLOC_SYMBOLS } from "../../../ffi/symbols/jemalloc.ts";
import { ffi } from "../../../ffi/mod.ts";
import { NULL } from "../../../ffi/types.ts";
import { MallctlError, UnsupportedOperationError } from "../../errors.ts";
import { ALL_ARENAS } from "./keys.ts";
import { MallctlNamespace } from "./namespace.ts";
import type { AllocatorKind, MemoryCalls } from "../memory.ts";
import type { LibraryFile } from "../types.ts";

/** What offheap's build of jemalloc is marked by when `sallocx` may be asked about any address. */
const SAFE_LOOKUP = "safe-lookup";

/** Arenas have numbers below `MALLOCX_ARENA_LIMIT`. */
const MAX_ARENAS = 4095;

/** `EAGAIN`: what mallctl returns when there is no memory. */
const OUT_OF_MEMORY = 11;

/** Opens jemalloc's functions. */
export function openJemallocMemory(
  { path, manifest }: LibraryFile,
  shim: MemoryCalls,
): AllocatorKind {
  const { nallocx, sallocx } = JEMALLOC_SYMBOLS;
  const { calls } = ffi().open(path, { nallocx, sallocx }, JEMALLOC_PREFIX);
  let opened: MallctlNamespace | undefined;
  const namespace = (): MallctlNamespace => opened ??= new MallctlNamespace(path);
  const knowsOwn = manifest?.features.includes(SAFE_LOOKUP) ?? false;
  return {
    number: 1,
    goodSize: (size) => calls.nallocx(size, 0),
    knowsOwn,
    owns(address) {
      // A debug build asserts that there is an address at all.
      if (knowsOwn) return address !== NULL && calls.sallocx(address, 0) > 0;
      throw new UnsupportedOperationError(
        `Cannot ask jemalloc for the owner of an address: "${path}" was not built by offheap with ` +
          `safe look-ups, and would crash at a wrong address. Build it with "${BUILD_COMMAND}".`,
      );
    },
    collect() {
      namespace().run("thread.tcache.flush");
      namespace().run("arena.<i>.purge", ALL_ARENAS);
    },
    heaps: {
      most: MAX_ARENAS,
      create(source) {
        const kept = shim.offheap_arena_reuse(source);
        if (kept >= 0) return kept;
        try {
          return namespace().createArena();
        } catch (error) {
          if (error instanceof MallctlError && error.errno === OUT_OF_MEMORY) return null;
          throw error;
        }
      },
      // An arena that is destroyed keeps 5 KiB and 2 MiB of addresses for ever: it is emptied, and
      // the next heap gets it.
      destroy(heap, source) {
        namespace().run("arena.<i>.reset", heap);
        namespace().run("arena.<i>.purge", heap);
        if (shim.offheap_arena_keep(source, heap) === 0) return;
        namespace().run("arena.<i>.destroy", heap);
      },
      // jemalloc 5.3.0 forgets to reset a counter of slabs, which a debug build then asserts to be 0
      // (jemalloc/jemalloc#1811).
      wantEmpty: manifest?.variant === "debug",
      counters(heap) {
        namespace().refresh();
        return {
          allocated: namespace().read("stats.arenas.<i>.small.allocated", heap) +
            namespace().read("stats.arenas.<i>.large.allocated", heap),
          resident: namespace().read("stats.arenas.<i>.resident", heap),
          mapped: namespace().read("stats.arenas.<i>.mapped", heap),
        };
      },
    },
  };
}
