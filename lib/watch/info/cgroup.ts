/**
 * The memory limit and use of this process's control group, for both versions of Linux's cgroups.
 *
 * A limit on any ancestor binds as much as one's own, so every level up to the mount is read.
 *
 * @module
 */
import { basename, dirname, join } from "node:path";
import { ownProperties } from "../../options.ts";
import { readTextIfPresent } from "../../system/files.ts";
import {
  type Bounds,
  type CgroupEvents,
  least,
  readBounds,
  readEvents,
  readUse,
  remaining,
  statReader,
  type Use,
  V1,
} from "./cgroup-level.ts";
import { type GroupPlace, insideMount, placeOf } from "./cgroup-place.ts";

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

/** Where to look. */
export interface CgroupOptions {
  /** A directory to use as `/`; for tests, and for a host's file system mounted elsewhere. */
  readonly root?: string | undefined;
  /** The process; this one without it. */
  readonly pid?: number | undefined;
  /** What was measured already: for a look at many processes of a few groups at one moment. */
  readonly measured?: Map<string, CgroupMemory | null> | undefined;
}

/** A group whose limits are known, so that its use alone has to be read. */
export interface OpenedCgroup {
  /** What was measured when it was opened. */
  readonly memory: CgroupMemory;
  /** What is left before the nearest of its limits, now; `null` when there is none. */
  available(): number | null;
}

/** A level on the way up that has a limit. */
interface Bounded {
  readonly directory: string;
  readonly bounds: Bounds;
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
  const place = findPlace(root, pid);
  if (place === null) return null;
  const { names, mount, group } = place;
  const key = `${names.version} ${mount.point} ${mount.root} ${group}`;
  const known = measured?.get(key);
  if (known !== undefined) return known;
  const found = measure(root, place)?.memory ?? null;
  measured?.set(key, found);
  return found;
}

/** The same, for who asks again and again what is left. */
export function openCgroup(options: CgroupOptions = {}): OpenedCgroup | null {
  const { root = "/", pid } = ownProperties(options);
  const place = findPlace(root, pid);
  const found = place === null ? null : measure(root, place);
  if (place === null || found === null) return null;
  return {
    memory: found.memory,
    available: () =>
      found.bounded
        .map(({ directory, bounds }) =>
          remaining(bounds, readUse(directory, place.names, statReader(directory)))
        )
        .reduce(least, null),
  };
}

function findPlace(root: string, pid: number | undefined): GroupPlace | null {
  const process = pid === undefined ? "self" : String(checkPid(pid));
  const membership = readTextIfPresent(join(root, "proc", process, "cgroup"));
  const mountinfo = readTextIfPresent(join(root, "proc", process, "mountinfo"));
  return membership === null || mountinfo === null ? null : placeOf(membership, mountinfo);
}

function checkPid(pid: number): number {
  if (Number.isSafeInteger(pid) && pid > 0) return pid;
  const error = typeof pid === "number" ? RangeError : TypeError;
  throw new error(`Cannot read a control group: pid must be a positive integer; got ${pid}`);
}

const NO_USE: Use = { usage: null, reclaimable: 0 };

interface Measured {
  readonly memory: CgroupMemory;
  readonly bounded: readonly Bounded[];
}

function measure(root: string, { names, mount, group }: GroupPlace): Measured | null {
  const top = withoutEnd(join(root, mount.point));
  let directory = join(top, insideMount(mount.root, group));
  let path: string | null = null;
  let own: Use = NO_USE;
  let tightest: Bounds | null = null;
  let high: number | null = null;
  let available: number | null = null;
  const bounded: Bounded[] = [];
  for (;;) {
    const stat = statReader(directory);
    const bounds = readBounds(directory, names, stat);
    const hasLimit = bounds.limit !== null || bounds.high !== null;
    // Above the process's own group, the use of one without limits is nobody's concern.
    const use = hasLimit || path === null ? readUse(directory, names, stat) : NO_USE;
    // The top of version 2 has no limit and no usage file: it is the host itself.
    if (path === null && (hasLimit || use.usage !== null)) {
      path = directory;
      own = use;
    }
    if (hasLimit) {
      bounded.push({ directory, bounds });
      if (bounds.limit !== null && bounds.limit < (tightest?.limit ?? Infinity)) tightest = bounds;
      high = least(high, bounds.high);
      available = least(available, remaining(bounds, use));
    }
    if (directory === top) break;
    directory = dirname(directory);
    // Without use_hierarchy, version 1 does not charge a parent for its children.
    if (
      names === V1 && readTextIfPresent(join(directory, "memory.use_hierarchy"))?.trim() === "0"
    ) break;
  }
  if (path === null) return null;
  const limit = tightest?.limit ?? null;
  const limitSource = tightest?.limitSource ?? null;
  const events = readEvents(path, names);
  const memory = {
    version: names.version,
    path,
    limit,
    limitSource,
    high,
    ...own,
    available,
    events,
  };
  return { memory, bounded };
}

/** A path without a slash at its end, as `dirname` gives it. */
function withoutEnd(path: string): string {
  return path.endsWith("/") ? join(dirname(path), basename(path)) : path;
}
