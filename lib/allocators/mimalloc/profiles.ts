/**
 * mimalloc's options of each profile. They are held to bounds by the benchmark suite: what each gains
 * and costs, by workload, is in docs/development/memory-allocator-analysis.md. Page faults below
 * are those of its burst of documents in Node, against glibc's.
 *
 * @module
 */
import type { ProfileOption, Profiles } from "../profiles.ts";

/**
 * Versions before 2.3 ask for none. Where the system gives huge pages to who asks for them, 2 MiB come
 * for whatever is touched, zeroed whole: a fifth more at the peak of the burst, a fifth more of a
 * service's processor time, whatever the delay. It holds for the process and its children, and changes
 * nothing where huge pages are off.
 */
const NO_HUGE_PAGES: ProfileOption = { name: "MIMALLOC_ALLOW_THP", value: "0", since: "2.3" };

/** The names are those of variables. */
export const MIMALLOC_PROFILES: Profiles = {
  "balanced": [
    {
      from: "2.0",
      before: "2.1.2",
      options: [
        // 25 ms by default: ×5 page faults. A longer delay holds more at the peak, and mimalloc
        // looks at it only when it is called: nothing is given back by an idle process.
        { name: "MIMALLOC_DECOMMIT_DELAY", value: "100" },
        // Whole segments (32 MiB); 500 ms by default.
        { name: "MIMALLOC_SEGMENT_DECOMMIT_DELAY", value: "1000" },
      ],
    },
    {
      from: "2.1.2",
      before: "3.0",
      options: [
        // 10 ms by default, and ten times that for arenas: ×3.4 glibc's time in `large` in place of
        // ×0.7, and ×3.5 page faults in the burst in place of ×2.1.
        { name: "MIMALLOC_PURGE_DELAY", value: "100" },
        NO_HUGE_PAGES,
      ],
    },
    // Version 3 waits a second by default.
    { from: "3.0", before: null, options: [] },
  ],
  "throughput": [
    {
      from: "2.0",
      before: "2.1.2",
      options: [
        // 25 ms by default, which is less than the time between two requests.
        { name: "MIMALLOC_DECOMMIT_DELAY", value: "1000" },
        // Whole segments (32 MiB) are dear to fault in again; 500 ms by default.
        { name: "MIMALLOC_SEGMENT_DECOMMIT_DELAY", value: "5000" },
      ],
    },
    {
      from: "2.1.2",
      before: "3.0",
      options: [
        { name: "MIMALLOC_PURGE_DELAY", value: "1000" },
        NO_HUGE_PAGES,
      ],
    },
    {
      from: "3.0",
      before: null,
      // Version 3 waits a second by default, and some multiple of it for arenas.
      options: [{ name: "MIMALLOC_PURGE_DELAY", value: "5000" }],
    },
  ],
  "low-memory": [
    {
      from: "2.0",
      before: "2.1.2",
      options: [
        // At once: the least that mimalloc can come down to, for ×8 page faults. jemalloc comes lower
        // at a tenth of that price.
        { name: "MIMALLOC_DECOMMIT_DELAY", value: "0" },
        { name: "MIMALLOC_SEGMENT_DECOMMIT_DELAY", value: "0" },
        // What a thread leaves at its end would wait for another thread to adopt it.
        { name: "MIMALLOC_ABANDONED_PAGE_DECOMMIT", value: "1" },
      ],
    },
    {
      from: "2.1.2",
      before: "3.0",
      // Its own delay, 10 ms. A millisecond saves 3 % of memory for a sixth of a service's processor
      // time; none at all took ×9 the time in `mixed` and ×131 in `realloc`.
      options: [NO_HUGE_PAGES],
    },
    {
      from: "3.0",
      before: null,
      // Version 3 has no abandoned segments, and so no option for them.
      options: [{ name: "MIMALLOC_PURGE_DELAY", value: "0" }],
    },
  ],
};
