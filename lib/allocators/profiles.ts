/**
 * Profiles: sets of allocator options for a purpose, by allocator and version.
 *
 * @module
 */

/** The name of a profile. */
export type ProfileName = "balanced" | "throughput" | "low-memory";

/** Every {@linkcode ProfileName}. */
export const PROFILE_NAMES: readonly ProfileName[] = ["balanced", "throughput", "low-memory"];

/** The profile that is taken unless another is named. */
export const DEFAULT_PROFILE: ProfileName = "balanced";

/** One option of an allocator. */
export interface ProfileOption {
  /** jemalloc's key in MALLOC_CONF, or the whole name of mimalloc's variable. */
  readonly name: string;
  /** Its value. */
  readonly value: string;
  /** jemalloc's other keys by which the same option can be set. */
  readonly aliases?: readonly string[];
  /** The first version that knows it, where the range begins before. */
  readonly since?: string;
  /** The variable of offheap's shim that asks for it, where the allocator's own would do harm. */
  readonly variable?: string;
}

/** The options for one range of an allocator's versions. */
export interface ProfileRange {
  /** The first version of the range. */
  readonly from: string;
  /** The first version behind the range; `null` when it is open. */
  readonly before: string | null;
  /** The options; none means that the allocator's own defaults serve the purpose. */
  readonly options: readonly ProfileOption[];
}

/** What a profile sets. */
export interface Profile {
  /** What it is for, in one clause. */
  readonly purpose: string;
  /** jemalloc's options. */
  readonly jemalloc: readonly ProfileRange[];
  /** mimalloc's options. */
  readonly mimalloc: readonly ProfileRange[];
}

/** The shim's variable that asks for jemalloc's background thread, see `ffi/native/background.c`. */
export const BACKGROUND_VARIABLE = "OFFHEAP_BACKGROUND";

/**
 * Its own thread gives pages back after a burst; without it nothing does while a process is idle. In
 * MALLOC_CONF the option would start it in every child before `main`, and break those that must have
 * one thread.
 */
const BACKGROUND: ProfileOption = {
  name: "background_thread",
  value: "runtimes",
  variable: BACKGROUND_VARIABLE,
};

/**
 * Versions before 2.3 ask for none. Where the system gives huge pages to who asks for them, 2 MiB come
 * for whatever is touched, zeroed whole: a fifth more at the peak of the burst, a fifth more of a
 * service's processor time, whatever the delay. It holds for the process and its children, and changes
 * nothing where huge pages are off.
 */
const NO_HUGE_PAGES: ProfileOption = { name: "MIMALLOC_ALLOW_THP", value: "0", since: "2.3" };

/**
 * Every profile. They are held to bounds by the benchmark suite: what each gains and costs, by
 * workload, stands in docs/development/memory-allocator-analysis.md. Page faults below are those of
 * its burst of documents in Node, against glibc's.
 */
export const PROFILES: Readonly<Record<ProfileName, Profile>> = {
  "balanced": {
    purpose: "long-running services: memory is given back soon after a burst",
    jemalloc: [{
      from: "5.1",
      before: null,
      options: [
        BACKGROUND,
        // Decay is a curve: half is given back after half the time. Ten seconds span the bursts of a
        // service; five cost it a tenth of its throughput.
        { name: "dirty_decay_ms", value: "10000" },
        // Lazily freed pages still count as resident for whoever watches the process.
        { name: "muzzy_decay_ms", value: "0" },
        // What is larger is given back at once; 8 MiB by default, which took half the throughput of
        // work on such blocks. glibc's bound is the same, see M_MMAP_THRESHOLD in mallopt(3).
        { name: "oversize_threshold", value: "33554432", since: "5.2" },
      ],
    }],
    mimalloc: [
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
  },
  "throughput": {
    purpose: "work of large blocks and many threads: memory is kept, page faults are avoided",
    jemalloc: [{
      from: "5.1",
      before: null,
      options: [
        BACKGROUND,
        // A page fault costs far more than a page: half a minute keeps them between requests.
        { name: "dirty_decay_ms", value: "30000" },
        { name: "muzzy_decay_ms", value: "30000" },
        // No size is so large that it is given back at once.
        { name: "oversize_threshold", value: "0", since: "5.2" },
        // Fewer TLB misses in jemalloc's own tables, at a few megabytes at most.
        { name: "metadata_thp", value: "auto" },
      ],
    }],
    mimalloc: [
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
  },
  "low-memory": {
    purpose: "small containers: the least memory is held back, by fewer arenas and smaller caches",
    jemalloc: [{
      from: "5.1",
      before: null,
      options: [
        BACKGROUND,
        // Not at once: that took nine times the page faults and four times the processor's time, for
        // a peak that is a fifth lower.
        { name: "dirty_decay_ms", value: "5000" },
        { name: "muzzy_decay_ms", value: "0" },
        // Four arenas a core by default, and each keeps its own partly used pages.
        { name: "narenas", value: "2" },
        // Up to 32 KiB by default; threads hold on to what their caches hold. A tenth of the peak.
        { name: "lg_tcache_max", value: "12", aliases: ["tcache_max"] },
      ],
    }],
    mimalloc: [
      {
        from: "2.0",
        before: "2.1.2",
        options: [
          // At once: the least that mimalloc can come down to, for ×8 page faults. jemalloc comes lower
          // at a tenth of that price.
          { name: "MIMALLOC_DECOMMIT_DELAY", value: "0" },
          { name: "MIMALLOC_SEGMENT_DECOMMIT_DELAY", value: "0" },
          // What a thread leaves behind would wait for another thread to adopt it.
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
  },
};
