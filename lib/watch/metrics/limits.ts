/**
 * How near a process is to its limits.
 *
 * @module
 */
import type { AgentStats } from "../agent/types.ts";
import type { ProcessMemory } from "../memory/types.ts";

/** A limit of memory, in bytes. */
export interface NearLimit {
  /** Whose it is: the control groups', or the program's own. */
  readonly source: "group" | "program";
  /** What is used of it. */
  readonly used: number;
  /** What may be used. */
  readonly limit: number;
}

/** The limits of a process, with what is used of them. */
export function limitsOf(
  { group, kernel }: Pick<ProcessMemory, "group" | "kernel">,
  agent: AgentStats | null,
): NearLimit[] {
  const limits: NearLimit[] = [];
  if (typeof group !== "string") {
    const limit = Math.min(group.limit ?? Infinity, group.high ?? Infinity);
    if (Number.isFinite(limit) && group.available !== undefined) {
      limits.push({ source: "group", used: limit - group.available, limit });
    }
  }
  const own = agent?.limit ?? null;
  if (own !== null && kernel.rss !== undefined) {
    limits.push({ source: "program", used: kernel.rss, limit: own });
  }
  return limits;
}
