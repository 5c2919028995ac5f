/**
 * What the agents of listed processes say of their allocators.
 *
 * @module
 */
import { findAllocator } from "../../allocators/mod.ts";
import { AgentError } from "../../errors.ts";
import { askAgent } from "../agent/client.ts";
import type { AgentStats } from "../agent/types.ts";
import type { ListedProcess } from "./types.ts";

/** How long the list waits for an agent: one that gives back much memory answers late. */
const PATIENCE_MS = 500;

const NO_AGENT = "only offheap's agent in the process can ask its allocator, and there is none";
const LATE = "offheap's agent in the process does not answer at the moment";

/**
 * Asks the agents of processes, all at once.
 *
 * @param hasAgent Whether a process has offheap's shim, without which it has no agent.
 */
export async function askAgents(
  processes: readonly ListedProcess[],
  hasAgent: (pid: number) => boolean,
): Promise<ListedProcess[]> {
  return await Promise.all(processes.map(async (listed) => {
    if (!hasAgent(listed.pid)) return without(listed, NO_AGENT);
    const answer = await ask(listed.pid);
    return typeof answer === "string" ? without(listed, answer) : withAnswer(listed, answer);
  }));
}

/** An agent's answer; a string says why there is none. */
async function ask(pid: number): Promise<AgentStats | string> {
  const late = Promise.withResolvers<string>();
  const timer = setTimeout(() => late.resolve(LATE), PATIENCE_MS);
  try {
    return await Promise.race([askAgent(pid, "stats"), late.promise]);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return error.message.replace(/\.$/, "");
  } finally {
    clearTimeout(timer);
  }
}

function without(listed: ListedProcess, why: string): ListedProcess {
  return { ...listed, absent: { ...listed.absent, allocated: why, heldBack: why } };
}

function withAnswer(listed: ListedProcess, answer: AgentStats): ListedProcess {
  const { counted, absent, limit } = answer;
  const { allocated } = counted;
  const heldBack = heldBackOf(answer);
  return {
    ...listed,
    allocator: findAllocator(answer.allocator)?.name ?? listed.allocator,
    verified: findAllocator(answer.allocator) !== null,
    allocated: allocated ?? null,
    heldBack: typeof heldBack === "string" ? null : heldBack,
    limit: limit === null || listed.limit === null
      ? limit ?? listed.limit
      : Math.min(limit, listed.limit),
    absent: {
      ...listed.absent,
      ...(allocated === undefined ? { allocated: absent.allocated ?? "it was not counted" } : {}),
      ...(typeof heldBack === "string" ? { heldBack } : {}),
    },
  };
}

/** Unused memory, of which an allocator that does not count pages says only the sum; or why not. */
function heldBackOf({ counted, absent }: AgentStats): number | string {
  const { allocated, dirty, mapped } = counted;
  if (dirty !== undefined) return dirty;
  if (allocated !== undefined && mapped !== undefined) return Math.max(0, mapped - allocated);
  return absent.dirty ?? absent.allocated ?? "it was not counted";
}
