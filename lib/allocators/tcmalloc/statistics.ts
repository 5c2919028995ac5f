/**
 * What gperftools' tcmalloc counts, in the shape that all allocators share.
 *
 * @module
 */
import { TCMALLOC_SYMBOLS } from "../../../ffi/symbols/tcmalloc.ts";
import { ffi } from "../../../ffi/mod.ts";
import {
  ALLOCATOR_FIGURES,
  type AllocatorFigure,
  figures,
  type OpenedStatistics,
} from "../statistics.ts";

const {
  MallocExtension_GetNumericProperty,
  MallocExtension_MarkThreadIdle,
  MallocExtension_ReleaseFreeMemory,
} = TCMALLOC_SYMBOLS;
const SYMBOLS = {
  MallocExtension_GetNumericProperty,
  MallocExtension_MarkThreadIdle,
  MallocExtension_ReleaseFreeMemory,
};

/** A property, with the sign by which it counts. */
type Term = readonly [sign: 1 | -1, property: string];

const SYSTEM: Term = [1, "generic.heap_size"];
/** Of the heap's size. */
const RETURNED: Term = [-1, "tcmalloc.pageheap_unmapped_bytes"];
const FREE_PAGES = "tcmalloc.pageheap_free_bytes";
const PHYSICAL = "generic.total_physical_bytes";

/** What is added up. */
const PROPERTIES: Readonly<Partial<Record<AllocatorFigure, readonly Term[]>>> = {
  allocated: [[1, "generic.current_allocated_bytes"]],
  active: [SYSTEM, RETURNED, [-1, FREE_PAGES]],
  resident: [[1, PHYSICAL]],
  mapped: [SYSTEM, RETURNED],
  retained: [[1, RETURNED[1]]],
  // What is in memory beside the heap.
  metadata: [[1, PHYSICAL], [-1, SYSTEM[1]], [1, RETURNED[1]]],
  dirty: [[1, FREE_PAGES]],
};

const UNCOUNTED = "tcmalloc does not count it";
const NO_FUNCTION = "this tcmalloc has no such function";

/** Opens the counters of the tcmalloc in an object; `null` for the process itself. */
export function openTcmallocStatistics(object: string | null): OpenedStatistics {
  const { calls, close } = ffi().open(object, SYMBOLS);
  const value = new BigUint64Array(1);

  function property(name: string): number | null {
    const found = calls.MallocExtension_GetNumericProperty?.(name, value) === 1;
    return found ? Number(value[0]) : null;
  }

  function purge(): string | null {
    if (calls.MallocExtension_ReleaseFreeMemory === undefined) return NO_FUNCTION;
    calls.MallocExtension_ReleaseFreeMemory();
    return null;
  }

  return {
    read() {
      const counted: Partial<Record<AllocatorFigure, number>> = {};
      for (const [name, terms] of Object.entries(PROPERTIES)) {
        const values = terms.map(([sign, each]) => times(sign, property(each)));
        if (values.includes(null)) continue;
        counted[name as AllocatorFigure] = values.reduce<number>((a, b) => a + (b ?? 0), 0);
      }
      return figures(ALLOCATOR_FIGURES, counted, UNCOUNTED);
    },
    readArenas: () => "tcmalloc has no arenas",
    purge,
    decay: () => "tcmalloc's rate of giving memory back cannot be set from C",
    collect() {
      calls.MallocExtension_MarkThreadIdle?.();
      return purge();
    },
    close,
  };
}

function times(sign: number, value: number | null): number | null {
  return value === null ? null : sign * value;
}
