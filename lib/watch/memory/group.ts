/**
 * What the control group counts, as figures.
 *
 * @module
 */
import { figures } from "../../allocators/statistics.ts";
import {
  type CgroupMemory,
  type CgroupOptions,
  openCgroup,
  readCgroupMemory,
} from "../info/cgroup.ts";
import { GROUP_FIGURES, type GroupFigure, type GroupFigures } from "./types.ts";

const NO_GROUP = "no control group counts this process's memory";
const NO_LIMIT = "no group on the way up has such a limit";
const NO_EVENT = "this version of control groups, or the kernel, does not count it";

const WHY: Readonly<Record<GroupFigure, string>> = {
  usage: "the group at the top counts none: it is the host",
  limit: NO_LIMIT,
  high: NO_LIMIT,
  available: NO_LIMIT,
  limitReached: NO_EVENT,
  outOfMemory: NO_EVENT,
  killed: NO_EVENT,
};

function figuresOf({ events, usage, limit, high, available }: CgroupMemory): GroupFigures {
  const all = { usage, limit, high, available, ...events };
  const counted: Partial<Record<GroupFigure, number>> = {};
  for (const name of GROUP_FIGURES) {
    const value = all[name];
    if (value !== null) counted[name] = value;
  }
  return figures(GROUP_FIGURES, counted, WHY);
}

/**
 * Reads what a process's control group counts; a string says why there is none.
 *
 * @throws As {@linkcode readCgroupMemory}.
 */
export function readGroupFigures(options: CgroupOptions = {}): GroupFigures | string {
  const memory = readCgroupMemory(options);
  return memory === null ? NO_GROUP : figuresOf(memory);
}

/**
 * Looks for the limits of a process's control group once, for who then asks often what is left.
 *
 * @returns Reads `available`; the other figures are those of now. Or a string says why there is none.
 * @throws As {@linkcode readCgroupMemory}, and so does what it returns.
 */
export function openGroupFigures(options: CgroupOptions = {}): (() => GroupFigures) | string {
  const group = openCgroup(options);
  if (group === null) return NO_GROUP;
  const { memory } = group;
  return () => figuresOf({ ...memory, available: group.available() });
}
