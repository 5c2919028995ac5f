/**
 * The variables that mimalloc reads, by version, and what it will not take.
 *
 * @module
 */
import { compareVersions } from "../version-order.ts";
import { nearest } from "../../nearest.ts";

const PREFIX = "MIMALLOC_";

/** Up to here the table is complete: a newer version may have other options. */
const NEWEST = "3.4.3";

/** A name, the first version that takes it, and the first that takes it no more. */
type Name = readonly [name: string, from: string, before?: string];

/** The names of one option, in one version the first that it has. */
const RENAMED: readonly (readonly Name[])[] = [
  [["purge_delay", "2.1.2"], ["decommit_delay", "2.0.5", "2.1.2"], ["reset_delay", "2.0"]],
  [["arena_eager_commit", "2.1.2"], ["eager_region_commit", "2.0", "2.0.5"], [
    "eager_region_commit",
    "2.1.2",
  ]],
  [["purge_decommits", "2.1.2"], ["reset_decommits", "2.0", "2.0.5"], ["reset_decommits", "2.1.2"]],
  [["allow_large_os_pages", "2.1.2"], ["large_os_pages", "2.0"]],
  [
    ["abandoned_page_purge", "2.1.2", "3.2"],
    ["abandoned_page_decommit", "2.0.5", "2.1.2"],
    ["abandoned_page_reset", "2.0", "3.0"],
  ],
  [["disallow_os_alloc", "2.1.4"], ["limit_os_alloc", "2.0"]],
  [
    ["purge_extend_delay", "2.1.2", "3.0.2"],
    ["decommit_extend_delay", "2.0.5", "3.0.2"],
  ],
  [
    ["page_reclaim_on_free", "3.0.2"],
    ["reclaim_on_free", "3.0.1", "3.0.2"],
    ["abandoned_reclaim_on_free", "2.1.4"],
  ],
];

/** Options that have had one name, by the versions that have them. */
const OTHERS: readonly (readonly [names: string, from: string, before?: string])[] = [
  [
    "show_errors show_stats verbose max_errors max_warnings os_tag reserve_huge_os_pages " +
    "reserve_os_memory use_numa_nodes",
    "2.0",
  ],
  // Windows only.
  ["disable_redirect", "2.0"],
  ["reserve_huge_os_pages_at", "2.0.3"],
  ["eager_commit eager_commit_delay", "2.0", "3.2"],
  ["segment_reset", "2.0", "2.0.5"],
  ["segment_cache", "2.0", "2.0.6"],
  ["page_reset allow_decommit segment_decommit_delay", "2.0", "2.1.2"],
  ["max_segment_reclaim", "2.0.6", "3.0.2"],
  ["destroy_on_exit", "2.0.9"],
  ["arena_reserve arena_purge_mult", "2.1.2"],
  ["disallow_arena_alloc", "2.1.4"],
  ["retry_on_oom", "2.1.7"],
  [
    "visit_abandoned guarded_min guarded_max guarded_precise guarded_sample_rate guarded_sample_seed",
    "2.1.9",
  ],
  ["target_segments_per_thread", "2.1.9", "3.0.2"],
  ["generic_collect", "2.2.2", "3.0"],
  ["generic_collect", "3.0.2"],
  ["allow_thp", "2.2.6", "3.0"],
  ["page_full_retain page_max_candidates max_vabits pagemap_commit page_commit_on_demand", "3.0.1"],
  ["page_max_reclaim page_cross_thread_max_reclaim", "3.1.4"],
  ["allow_thp minimal_purge_size", "3.1.6"],
  ["arena_max_object_size", "3.2.8"],
  ["arena_is_numa_local", "3.3.2"],
  ["profile", "3.5.4"],
];

const OPTIONS: readonly (readonly Name[])[] = [
  ...RENAMED,
  ...OTHERS.flatMap(([names, ...range]) =>
    names.split(" ").map((name): readonly Name[] => [[name, ...range]])
  ),
];

/** Options that are sizes, and may have a unit. */
const SIZES: ReadonlySet<string> = new Set([
  "reserve_os_memory",
  "arena_reserve",
  "minimal_purge_size",
  "arena_max_object_size",
]);

const SWITCH = /^(1|TRUE|YES|ON|0|FALSE|NO|OFF)?$/i;
const NUMBER = /^\s*[+-]?\d+$/;
const SIZE = /^\s*[+-]?\d+([KMGT]?(I?B)?)$/i;

function takes([, from, before]: Name, version: string): boolean {
  return compareVersions(version, from) >= 0 &&
    (before === undefined || compareVersions(version, before) < 0);
}

function optionsOf(name: string): readonly (readonly Name[])[] {
  return OPTIONS.filter((names) => names.some(([known]) => known === name));
}

function variableOf([name]: Name): string {
  return `${PREFIX}${name.toUpperCase()}`;
}

/** All the variables by which the option of one can be set in a version, its own name first. */
export function variablesLike(variable: string, version: string): readonly string[] {
  const name = variable.slice(PREFIX.length).toLowerCase();
  const names = optionsOf(name).flat().filter((each) => takes(each, version));
  return [...new Set(names.map(variableOf))];
}

/** A variable of the user's that a version does not take as it is. */
export interface StrangeVariable {
  /** The variable, as the user wrote it. */
  readonly variable: string;
  /** The variable by which the version takes the same; `null` where there is none. */
  readonly instead: string | null;
  /** What is wrong, as a sentence without its end. */
  readonly why: string;
}

function explain(variable: string, version: string): StrangeVariable | null {
  const name = variable.slice(PREFIX.length).toLowerCase();
  const none = `${variable} is no option of mimalloc ${version}, and has no effect`;
  const options = optionsOf(name);
  if (options.length === 0) {
    const near = nearest(name, OPTIONS.flat().map(([known]) => known));
    if (near !== null) {
      const [own = `${PREFIX}${near.toUpperCase()}`] = variablesLike(PREFIX + near, version);
      return { variable, instead: null, why: `${none}: the nearest is ${own}` };
    }
    const newer = compareVersions(version, NEWEST) > 0;
    const why = newer ? `offheap knows no option ${variable} of mimalloc ${version}` : none;
    return { variable, instead: null, why };
  }
  if (options.flat().some((each) => each[0] === name && takes(each, version))) return null;
  const [instead = null] = variablesLike(variable, version);
  if (instead !== null) {
    const why = `${variable} is called ${instead} in mimalloc ${version}, and is set by that name`;
    return { variable, instead, why };
  }
  const [range] = options.flat().filter(([known]) => known === name);
  const [, from = "", before] = range ?? [];
  const has = compareVersions(version, from) < 0
    ? `it came with ${from}`
    : `it went with ${before}`;
  return { variable, instead: null, why: `${none}: ${has}` };
}

/** What is wrong with a value, as a sentence without its end; `null` where mimalloc takes it. */
function valueFault(variable: string, value: string): string | null {
  const size = SIZES.has(variable.slice(PREFIX.length).toLowerCase());
  if (SWITCH.test(value) || (size ? SIZE : NUMBER).test(value)) return null;
  const must = size ? "a whole number with or without a unit" : "a whole number, or on or off";
  return `${variable} must be ${must}; got ${JSON.stringify(value)}`;
}

/** What a version makes of the variables that somebody has set. */
export interface VariablesReading {
  /** The variables that it takes by another name. */
  readonly strange: readonly StrangeVariable[];
  /** The variables whose values it does not take, and why, each a sentence without its end. */
  readonly faults: readonly { readonly variable: string; readonly why: string }[];
}

/** Looks through an environment; mimalloc takes its variables in any case. */
export function readVariables(
  environment: Readonly<Record<string, string | undefined>>,
  version: string,
): VariablesReading {
  const own = Object.entries(environment).filter((entry): entry is [string, string] =>
    entry[0].toUpperCase().startsWith(PREFIX) && entry[1] !== undefined
  );
  const strange = own.map(([name]) => explain(name, version)).filter((found) => found !== null);
  const unknown = new Set(strange.filter(({ instead }) => instead === null).map((s) => s.variable));
  const faults = own.flatMap(([variable, value]) => {
    const why = unknown.has(variable) ? null : valueFault(variable, value);
    return why === null ? [] : [{ variable, why }];
  });
  return { strange, faults };
}
