/**
 * One of the control groups that hold for a process: the names of its files in both versions of Linux's
 * cgroups, and what they say.
 *
 * @module
 */
import { join } from "node:path";
import { malformed, readTextIfPresent, restOfLine } from "../../system/files.ts";

/** How often something happened in a group; `null` for what its version, or the kernel, does not count. */
export interface CgroupEvents {
  /** The hard limit kept it from getting memory at once. */
  readonly limitReached: number | null;
  /** The limit was reached, and nothing could be taken back. */
  readonly outOfMemory: number | null;
  /** Processes that the kernel killed for it. */
  readonly killed: number | null;
}

/** What differs between the versions: the names of the files. */
export interface Hierarchy {
  readonly version: 1 | 2;
  readonly limit: string;
  readonly high: string | null;
  readonly usage: string;
  readonly inactive: string;
  /** Where each event is: a file that is a number, or a file and a key in it. */
  readonly events: Readonly<Partial<Record<keyof CgroupEvents, readonly [string, string?]>>>;
}

/** Version 1. */
export const V1: Hierarchy = {
  version: 1,
  limit: "memory.limit_in_bytes",
  high: null,
  usage: "memory.usage_in_bytes",
  inactive: "total_inactive_file",
  events: {
    limitReached: ["memory.failcnt"],
    killed: ["memory.oom_control", "oom_kill"],
  },
};
/** Version 2. */
export const V2: Hierarchy = {
  version: 2,
  limit: "memory.max",
  high: "memory.high",
  usage: "memory.current",
  inactive: "inactive_file",
  events: {
    limitReached: ["memory.events", "max"],
    outOfMemory: ["memory.events", "oom"],
    killed: ["memory.events", "oom_kill"],
  },
};

/** Version 1 has no word for "no limit": it shows the largest multiple of a page below 2^63. */
const UNLIMITED_FROM = 2 ** 62;

/** What both versions have: lines `KEY NUMBER`. */
const STAT = "memory.stat";

/** What the limits of a group have led to. */
export function readEvents(directory: string, { events }: Hierarchy): CgroupEvents {
  const texts = new Map<string, string | null>();
  const read = (event: keyof CgroupEvents): number | null => {
    const [file, key] = events[event] ?? [];
    if (file === undefined) return null;
    if (!texts.has(file)) texts.set(file, readTextIfPresent(join(directory, file)));
    const text = texts.get(file) ?? "";
    return key === undefined ? statValue(`count ${text}`, "count") : statValue(text, key);
  };
  return {
    limitReached: read("limitReached"),
    outOfMemory: read("outOfMemory"),
    killed: read("killed"),
  };
}

/** The limits of a group, in bytes; `null` for those that it does not have. */
export interface Bounds {
  readonly limit: number | null;
  readonly limitSource: string;
  readonly high: number | null;
}

/** What a group uses, in bytes. */
export interface Use {
  readonly usage: number | null;
  readonly reclaimable: number;
}

/** Reads `memory.stat` of a group when it is first asked for: it is not needed everywhere, and slow to make. */
export function statReader(directory: string): () => string {
  let text: string | undefined;
  return () => text ??= readTextIfPresent(join(directory, STAT)) ?? "";
}

/** Reads the limits of a group. */
export function readBounds(directory: string, names: Hierarchy, stat: () => string): Bounds {
  const limitSource = join(directory, names.limit);
  const limit = readBytes(limitSource);
  const high = names.high === null ? null : readBytes(join(directory, names.high));
  // A container often cannot see its ancestors; version 1 reports their limit here all the same.
  const inherited = names === V1 ? finite(statValue(stat(), "hierarchical_memory_limit")) : null;
  return inherited !== null && (limit === null || inherited < limit)
    ? { limit: inherited, limitSource: join(directory, STAT), high }
    : { limit, limitSource, high };
}

/** Reads what a group uses. */
export function readUse(directory: string, names: Hierarchy, stat: () => string): Use {
  const usage = readBytes(join(directory, names.usage));
  const reclaimable = statValue(stat(), names.inactive) ?? 0;
  return { usage, reclaimable: Math.min(reclaimable, usage ?? 0) };
}

/** What is left before the nearer of a group's limits; `null` where it has none. */
export function remaining(
  { limit, high }: Pick<Bounds, "limit" | "high">,
  { usage, reclaimable }: Use,
): number | null {
  const bound = least(limit, high);
  if (bound === null || usage === null) return null;
  return Math.max(0, bound - (usage - reclaimable));
}

/** The smaller of two numbers that may not be there. */
export function least(a: number | null, b: number | null): number | null {
  if (a === null) return b;
  return b === null ? a : Math.min(a, b);
}

/** The size in a control file; `null` for no file and for no limit. */
function readBytes(path: string): number | null {
  const text = readTextIfPresent(path)?.trim();
  if (text === undefined || text === "max") return null;
  if (!/^\d+$/.test(text)) throw malformed(path, 'a number of bytes or "max"', text);
  return finite(Number(text));
}

function finite(bytes: number | null): number | null {
  return bytes === null || bytes >= UNLIMITED_FROM ? null : bytes;
}

/** A line `KEY NUMBER` of a file that has many of them; `null` when it is not there. */
function statValue(text: string, key: string): number | null {
  const value = restOfLine(text, `${key} `)?.trimEnd() ?? "";
  return /^\d+$/.test(value) ? Number(value) : null;
}
