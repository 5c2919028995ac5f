/**
 * jemalloc's sampling.
 *
 * @module
 */
import type { HeapSampling } from "../heap-profiling.ts";
import { openJemallocSampling } from "./sampling.ts";

/** The names are keys of `MALLOC_CONF`. */
export const JEMALLOC_HEAP_PROFILING: HeapSampling = {
  feature: "profiling",
  since: "5.3",
  options: (interval, active) => [
    { name: "prof", value: "true" },
    { name: "prof_active", value: `${active}` },
    { name: "lg_prof_sample", value: `${Math.log2(interval)}` },
  ],
  open: openJemallocSampling,
};
