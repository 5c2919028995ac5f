/**
 * The memory limit and use of this process's control group, for both versions of Linux's cgroups.
 *
 * A limit on any ancestor binds as much as one's own, so every level up to the mount is read.
 *
 * @module
 */
import { basename, dirname, join, posix } from "node:path";
import { ownProperties } from "../../options.ts";
import { type Mount, parseMounts } from "../../system/linux-mounts.ts";
import { malformed, readTextIfPresent } from "../../system/files.ts";

/** A process's memory control group. All sizes are in bytes. */
export interface CgroupMemory {
  /** The version of the hierarchy that controls memory. */
  readonly version: 1 | 2;
  /** The group's directory, or the nearest ancestor of it that is visible here. */
  readonly path: string;
  /** The tightest hard limit on the way up; `null` when there is none. */
  readonly limit: number | null;
  /** The file that the limit came from. */
  readonly limitSource: string | null;
  /** The tightest throttling limit (`memory.high`); `null` when there is none. */
  readonly high: number | null;
  /** Memory charged to this group, page cache included; `null` when the kernel does not say. */
  readonly usage: number | null;
  /** The part of the usage that the kernel can drop at once: inactive page cache. */
  readonly reclaimable: number;
  /** What is left before the nearest of all limits, with inactive cache counted as free. */
  readonly available: number | null;
  /** What the group's limits have led to, since it was made. */
  readonly events: CgroupEvents;
}

/** How often something happened in a group; `null` for what its version, or the kernel, does not count. */
export interface CgroupEvents {
  /** The hard limit kept it from getting memory at once. */
  readonly limitReached: number | null;
  /** The limit was reached, and nothing could be taken back. */
  readonly outOfMemory: number | null;
  /** Processes that the kernel killed for it. */
  readonly killed: number | null;
}

/** Where to look. */
export interface CgroupOptions {
  /** A directory to use as `/`; for tests, and for a host's file system mounted elsewhere. */
  readonly root?: string | undefined;
  /** The process; this one without it. */
  readonly pid?: number | undefined;
  /** What was measured already: for a look at many processes of a few groups at one moment. */
  readonly measured?: Map<string, CgroupMemory | null> | undefined;
}

/** What differs between the versions: the names of the files. */
interface Hierarchy {
  readonly version: 1 | 2;
  readonly limit: string;
  readonly high: string | null;
  readonly usage: string;
  readonly inactive: string;
  /** Where each event is: a file that is a number, or a file and a key in it. */
  readonly events: Readonly<Partial<Record<keyof CgroupEvents, readonly [string, string?]>>>;
}

const V1: Hierarchy = {
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
const V2: Hierarchy = {
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

interface Level {
  readonly limit: number | null;
  readonly limitSource: string;
  readonly high: number | null;
  readonly usage: number | null;
  readonly reclaimable: number;
}

/**
 * Reads the memory limits that hold for a process through its control groups.
 *
 * @returns `null` when no control group counts this process's memory: another system than Linux,
 * or a kernel or container that shows no memory controller.
 * @throws {PermissionError} when the runtime may not read `/proc` and `/sys`.
 * @throws {SystemInfoError} when a file cannot be read or understood.
 */
export function readCgroupMemory(options: CgroupOptions = {}): CgroupMemory | null {
  const { root = "/", pid, measured } = ownProperties(options);
  const process = pid === undefined ? "self" : String(checkPid(pid));
  const membership = readTextIfPresent(join(root, "proc", process, "cgroup"));
  const mountinfo = readTextIfPresent(join(root, "proc", process, "mountinfo"));
  if (membership === null || mountinfo === null) return null;
  const place = placeOf(membership, mountinfo);
  if (place === null) return null;
  const { names, mount, group } = place;
  const key = `${names.version} ${mount.point} ${mount.root} ${group}`;
  const known = measured?.get(key);
  if (known !== undefined) return known;
  const found = measure(root, names, mount, group);
  measured?.set(key, found);
  return found;
}

/** Where a process's memory is counted. */
interface GroupPlace {
  readonly names: Hierarchy;
  readonly mount: Mount;
  readonly group: string;
}

/** The places by the texts that say them: hardly ever does a process move. */
const places = new Map<string, GroupPlace | null>();
const MOST_PLACES = 64;

function placeOf(membership: string, mountinfo: string): GroupPlace | null {
  const key = membership + mountinfo;
  const known = places.get(key);
  if (known !== undefined) return known;
  const found = findPlace(parseMembership(membership), parseMounts(mountinfo));
  if (places.size >= MOST_PLACES) places.clear();
  places.set(key, found);
  return found;
}

function findPlace(
  { memoryV1, unified }: ReturnType<typeof parseMembership>,
  mounts: readonly Mount[],
): GroupPlace | null {
  const mount = mounts.find(({ type, superOptions }) =>
    memoryV1 === null ? type === "cgroup2" : type === "cgroup" && superOptions.includes("memory")
  );
  const group = memoryV1 ?? unified;
  if (mount === undefined || group === null) return null;
  return { names: memoryV1 === null ? V2 : V1, mount, group };
}

function checkPid(pid: number): number {
  if (Number.isSafeInteger(pid) && pid > 0) return pid;
  const error = typeof pid === "number" ? RangeError : TypeError;
  throw new error(`Cannot read a control group: pid must be a positive integer; got ${pid}`);
}

function measure(root: string, names: Hierarchy, mount: Mount, group: string): CgroupMemory | null {
  const top = withoutEnd(join(root, mount.point));
  let directory = join(top, insideMount(mount.root, group));
  let path: string | null = null;
  let own: Level | null = null;
  let limit: number | null = null;
  let limitSource: string | null = null;
  let high: number | null = null;
  let available: number | null = null;
  for (;;) {
    const level = readLevel(directory, names);
    if (level !== null) {
      path ??= directory;
      own ??= level;
      if (level.limit !== null && (limit === null || level.limit < limit)) {
        limit = level.limit;
        limitSource = level.limitSource;
      }
      high = least(high, level.high);
      available = least(available, remaining(level));
    }
    if (directory === top) break;
    directory = dirname(directory);
    // Without use_hierarchy, version 1 does not charge a parent for its children.
    if (
      names === V1 && readTextIfPresent(join(directory, "memory.use_hierarchy"))?.trim() === "0"
    ) break;
  }
  if (path === null || own === null) return null;
  const { usage, reclaimable } = own;
  return {
    version: names.version,
    path,
    limit,
    limitSource,
    high,
    usage,
    reclaimable,
    available,
    events: readEvents(path, names),
  };
}

function readEvents(directory: string, { events }: Hierarchy): CgroupEvents {
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

function readLevel(directory: string, names: Hierarchy): Level | null {
  const usage = readBytes(join(directory, names.usage));
  let limitSource = join(directory, names.limit);
  let limit = readBytes(limitSource);
  const statPath = join(directory, "memory.stat");
  const stat = readTextIfPresent(statPath) ?? "";
  // A container often cannot see its ancestors; version 1 reports their limit here all the same.
  const inherited = names === V1 ? finite(statValue(stat, "hierarchical_memory_limit")) : null;
  if (inherited !== null && (limit === null || inherited < limit)) {
    limit = inherited;
    limitSource = statPath;
  }
  const high = names.high === null ? null : readBytes(join(directory, names.high));
  // The root group of version 2 has no limit and no usage file: it is the host itself.
  if (usage === null && limit === null && high === null) return null;
  const reclaimable = Math.min(statValue(stat, names.inactive) ?? 0, usage ?? 0);
  return { limit, limitSource, high, usage, reclaimable };
}

function remaining(level: Level): number | null {
  const bound = least(level.limit, level.high);
  if (bound === null || level.usage === null) return null;
  return Math.max(0, bound - (level.usage - level.reclaimable));
}

function least(a: number | null, b: number | null): number | null {
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
  const found = `\n${text}\n`.match(new RegExp(`\n${key} (\\d+)\\s*\n`))?.[1];
  return found === undefined ? null : Number(found);
}

/** A path without a slash at its end, as `dirname` gives it. */
function withoutEnd(path: string): string {
  return path.endsWith("/") ? join(dirname(path), basename(path)) : path;
}

/** The group's path below the mount point; a path outside the mount's root shows as the mount. */
function insideMount(mountRoot: string, group: string): string {
  const relative = posix.relative(mountRoot, group);
  return relative === ".." || relative.startsWith("../") ? "" : relative;
}

function parseMembership(text: string): { memoryV1: string | null; unified: string | null } {
  let memoryV1: string | null = null;
  let unified: string | null = null;
  for (const line of text.split("\n")) {
    const match = /^(\d+):([^:]*):(.*)$/.exec(line);
    if (match === null) continue;
    const [, id, controllers = "", path = "/"] = match;
    if (controllers.split(",").includes("memory")) memoryV1 = path;
    else if (id === "0" && controllers === "") unified = path;
  }
  return { memoryV1, unified };
}
