/**
 * What glibc's malloc counts, in the shape that all allocators share.
 *
 * @module
 */
import { GLIBC_MALLOC_SYMBOLS } from "../../../ffi/symbols/libc.ts";
import { ffi } from "../../../ffi/mod.ts";
import {
  ALLOCATOR_FIGURES,
  type AllocatorFigures,
  figures,
  type OpenedStatistics,
} from "../statistics.ts";
import { type MallocSums, openMallocInfo } from "./malloc-info.ts";

const NO_PAGES = "glibc counts blocks, not pages";

const WHY = {
  active: NO_PAGES,
  resident: `${NO_PAGES}, of which malloc_trim may have given back some`,
  retained: NO_PAGES,
  metadata: "glibc does not count its own administration",
  dirty: NO_PAGES,
  muzzy: NO_PAGES,
  threads: "glibc does not count the threads that use it",
  arenas: "this is one of them",
} as const;

function countedOf({ free, system, writable, mapped }: MallocSums): {
  readonly allocated: number;
  readonly mapped: number;
  readonly committed: number;
} {
  return {
    // What threads have cached counts as allocated.
    allocated: system - free + mapped,
    mapped: system + mapped,
    committed: writable + mapped,
  };
}

function figuresOf(sums: MallocSums, arenas: number | null): AllocatorFigures {
  const counted = { ...countedOf(sums), ...(arenas === null ? {} : { arenas }) };
  return figures(ALLOCATOR_FIGURES, counted, WHY);
}

/** Opens the counters of the glibc of this process. */
export function openGlibcStatistics(): OpenedStatistics {
  const info = openMallocInfo();
  const { calls, close } = ffi().open(null, GLIBC_MALLOC_SYMBOLS);

  function purge(): string | null {
    if (calls.malloc_trim === undefined) return "this C library has no malloc_trim";
    calls.malloc_trim(0);
    return null;
  }

  return {
    read() {
      const { all, arenas } = info.read();
      return figuresOf(all, arenas.length);
    },
    readArenas: () =>
      info.read().arenas.map((sums, arena) => ({ arena, figures: figuresOf(sums, null) })),
    purge,
    decay: () => "glibc gives memory back when it is asked to, and not after a time",
    collect: purge,
    close() {
      info.close();
      close();
    },
  };
}
