/**
 * Where a process's memory is counted: in which control group, and where that is mounted.
 *
 * @module
 */
import { posix } from "node:path";
import { type Mount, parseMounts } from "../../system/linux-mounts.ts";
import { type Hierarchy, V1, V2 } from "./cgroup-level.ts";

/** Where a process's memory is counted. */
export interface GroupPlace {
  readonly names: Hierarchy;
  readonly mount: Mount;
  readonly group: string;
}

/** The places by the texts that say them: hardly ever does a process move. */
const places = new Map<string, GroupPlace | null>();
const MAX_PLACES = 64;

/** The place, by the texts of `/proc/PID/cgroup` and `mountinfo`; `null` where nothing counts it. */
export function placeOf(membership: string, mountinfo: string): GroupPlace | null {
  const key = membership + mountinfo;
  const known = places.get(key);
  if (known !== undefined) return known;
  const found = findPlace(parseMembership(membership), parseMounts(mountinfo));
  if (places.size >= MAX_PLACES) places.clear();
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

/** The group's path below the mount point; a path outside the mount's root shows as the mount. */
export function insideMount(mountRoot: string, group: string): string {
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
