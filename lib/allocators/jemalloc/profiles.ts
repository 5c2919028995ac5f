/**
 * jemalloc's options of each profile. They are held to bounds by the benchmark suite: what each gains
 * and costs, by workload, is in docs/development/memory-allocator-analysis.md.
 *
 * @module
 */
import type { ProfileOption, Profiles } from "../profiles.ts";

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

/** The names are keys of `MALLOC_CONF`. */
export const JEMALLOC_PROFILES: Profiles = {
  "balanced": [{
    from: "5.1",
    before: null,
    options: [
      BACKGROUND,
      // Decay is a curve: half is given back after half the time. Ten seconds span the bursts of a
      // service; five cost it a tenth of its throughput. Where the agent gives memory back at rest, the
      // decay is for programs that never rest.
      { name: "dirty_decay_ms", value: "10000", withAgent: "30000" },
      // Lazily freed pages still count as resident for whoever watches the process; the agent gives them
      // back at rest, too, and until then they are used again without a page fault.
      { name: "muzzy_decay_ms", value: "0", withAgent: "30000" },
      // What is larger is given back at once; 8 MiB by default, which took half the throughput of
      // work on such blocks. glibc's bound is the same, see M_MMAP_THRESHOLD in mallopt(3).
      { name: "oversize_threshold", value: "33554432", since: "5.2" },
    ],
  }],
  "throughput": [{
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
  "low-memory": [{
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
};
