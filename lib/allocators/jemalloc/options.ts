/**
 * The options that `MALLOC_CONF` takes, by version, and the values that jemalloc takes for them.
 *
 * @module
 */

/** What an option's value must be. */
export type ConfValue =
  /** `true` or `false`. */
  | "flag"
  /** An integer, between bounds where jemalloc refuses what is beyond. */
  | "number"
  /** One of some words. */
  | "word"
  /** Text that is not looked at here. */
  | "text";

/** One option. */
export interface ConfOption {
  /** The key in `MALLOC_CONF`. */
  readonly name: string;
  /** What its value must be. */
  readonly value: ConfValue;
  /** The first version that has it. */
  readonly since: string;
  /** The first version that has it no more; `null` for the newest. */
  readonly before: string | null;
  /** The words that it takes: all that it does, or beside numbers. */
  readonly words: readonly string[];
  /** The least number and the greatest. */
  readonly bounds: readonly [number, number];
  /** Whether jemalloc takes what a key or a word begins with, too. */
  readonly abbreviated: boolean;
}

type Row = Pick<ConfOption, "value" | "since"> & Partial<ConfOption> & { readonly names: string };

const ANY: readonly [number, number] = [-Infinity, Infinity];

/** Up to here the table is complete: a newer version may have other options. */
export const NEWEST_JEMALLOC = "5.3.1";

const ROWS: readonly Row[] = [
  {
    value: "flag",
    since: "5.1",
    names: "abort abort_conf background_thread prof prof_accum prof_active prof_final prof_gdump " +
      "prof_leak prof_thread_active_init retain stats_print tcache utrace xmalloc zero",
  },
  { value: "flag", since: "5.2", names: "prof_log" },
  { value: "flag", since: "5.2.1", names: "confirm_conf" },
  {
    value: "flag",
    since: "5.3",
    names: "experimental_infallible_new hpa prof_leak_error prof_stats prof_sys_thread_name " +
      "prof_unbias trust_madvise",
  },
  {
    value: "flag",
    since: "5.3.1",
    names: "cache_oblivious disable_large_size_classes experimental_hpa_enforce_hugify " +
      "experimental_hpa_start_huge_if_thp_always experimental_tcache_gc hpa_hugify_sync " +
      "huge_arena_pac_thp prof_pid_namespace",
  },
  {
    value: "number",
    since: "5.1",
    bounds: [-1, Infinity],
    names: "dirty_decay_ms muzzy_decay_ms lg_prof_interval",
  },
  {
    value: "number",
    since: "5.1",
    names: "lg_extent_max_active_fit lg_prof_sample lg_tcache_max max_background_threads",
  },
  { value: "number", since: "5.1", bounds: [1, Infinity], names: "narenas", words: ["default"] },
  // The largest size class, of 64-bit systems.
  { value: "number", since: "5.2", bounds: [0, 0x70 * 2 ** 56], names: "oversize_threshold" },
  {
    value: "number",
    since: "5.3",
    bounds: [-1, Infinity],
    names: "mutex_max_spin prof_recent_alloc_max stats_interval",
  },
  { value: "number", since: "5.3", bounds: [-16, 16], names: "lg_tcache_nslots_mul" },
  {
    value: "number",
    since: "5.3",
    names: "hpa_hugification_threshold hpa_hugify_delay_ms hpa_min_purge_interval_ms " +
      "hpa_sec_batch_fill_extra hpa_sec_max_alloc hpa_sec_max_bytes hpa_sec_nshards " +
      "hpa_slab_max_alloc lg_san_uaf_align lg_tcache_flush_large_div lg_tcache_flush_small_div " +
      "san_guard_large san_guard_small tcache_gc_delay_bytes tcache_gc_incr_bytes tcache_max " +
      "tcache_nslots_large tcache_nslots_small_max tcache_nslots_small_min",
  },
  { value: "number", since: "5.3", before: "5.3.1", names: "hpa_sec_bytes_after_flush" },
  {
    value: "number",
    since: "5.3.1",
    bounds: [-1, Infinity],
    names: "experimental_hpa_max_purge_nhp",
  },
  {
    value: "number",
    since: "5.3.1",
    names: "calloc_madvise_threshold debug_double_free_max_scan hpa_min_purge_delay_ms " +
      "hpa_purge_threshold process_madvise_max_batch prof_bt_max",
  },
  { value: "word", since: "5.1", names: "junk", words: ["true", "false", "alloc", "free"] },
  {
    value: "word",
    since: "5.1",
    abbreviated: true,
    names: "metadata_thp",
    words: ["disabled", "auto", "always"],
  },
  {
    value: "word",
    since: "5.1",
    abbreviated: true,
    names: "dss",
    words: ["disabled", "primary", "secondary"],
  },
  {
    value: "word",
    since: "5.1",
    abbreviated: true,
    names: "percpu_arena",
    words: ["percpu", "phycpu", "disabled"],
  },
  { value: "word", since: "5.1", names: "thp", words: ["default", "always", "never"] },
  { value: "word", since: "5.3", names: "zero_realloc", words: ["alloc", "free", "abort"] },
  { value: "word", since: "5.3", names: "prof_time_resolution", words: ["default", "high"] },
  {
    value: "word",
    since: "5.3.1",
    abbreviated: true,
    names: "hpa_hugify_style",
    words: ["auto", "none", "eager", "lazy"],
  },
  { value: "text", since: "5.1", names: "log prof_prefix stats_print_opts" },
  { value: "text", since: "5.2", names: "bin_shards slab_sizes" },
  {
    value: "text",
    since: "5.3",
    names: "hpa_dirty_mult hpa_hugification_threshold_ratio narenas_ratio stats_interval_opts",
  },
  { value: "text", since: "5.3.1", names: "hpa_purge_threshold_ratio tcache_ncached_max" },
];

/** Every option of jemalloc 5.1 and later. */
export const CONF_OPTIONS: readonly ConfOption[] = ROWS.flatMap(({ names, ...row }) =>
  names.split(" ").map((name) => ({
    name,
    before: null,
    words: [],
    bounds: ANY,
    abbreviated: false,
    ...row,
  }))
);
