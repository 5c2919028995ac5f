/**
 * What the agents of listed processes say of their allocators.
 *
 * @module
 */
import { findAllocator } from "../../allocators/mod.ts";
import { ALLOCATOR_FIGURES, type AllocatorFigure } from "../../allocators/statistics.ts";
import { AgentError } from "../../errors.ts";
import { askAgent } from "../agent/client.ts";
import { type BoundSockets, boundSockets } from "../agent/sockets.ts";
import type { AgentStats } from "../agent/types.ts";
import type { ListedProcess, SeenProcess } from "./types.ts";

/** How long the list waits for an agent: one that gives back much memory answers late. */
const PATIENCE_MS = 500;

/** How many are asked at a time: each takes a descriptor, of which a process may have few. */
const AT_A_TIME = 64;

const NO_AGENT = "only offheap's agent in the process can ask its allocator, and there is none";

/** Does something for each item, a few at a time; the results are in the items' order. */
export async function forEachOf<T, R>(
  items: readonly T[],
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const waiting = items.entries();
  const worker = async (): Promise<void> => {
    for (const [index, item] of waiting) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(AT_A_TIME, items.length) }, worker));
  return results;
}

/** Asks the agents of processes. */
export async function askAgents(seen: readonly SeenProcess[]): Promise<ListedProcess[]> {
  const bound = boundSockets();
  return await forEachOf(
    seen,
    async (each) => withAgent(each.listed, await askSeen(each, bound)),
  );
}

/** What the agent of a process counts; a string says why that is not known. */
export async function askSeen(
  { listed, facts }: SeenProcess,
  bound: BoundSockets,
): Promise<AgentStats | string> {
  return facts.hasShim ? await askStats(listed.pid, bound) : NO_AGENT;
}

async function askStats(pid: number, bound: BoundSockets): Promise<AgentStats | string> {
  try {
    return checked(await askAgent(pid, "stats", { bound, milliseconds: PATIENCE_MS }));
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return error.message.replace(/\.$/, "");
  }
}

/** What the answer's numbers have to be. */
function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

const COUNTS = ["resident", "purges", "returned", "lastPurgeMilliseconds", "pressures"] as const;

/** Another user's process may answer anything: what is not as it has to be is not taken over. */
function checked(answer: AgentStats): AgentStats | string {
  const { counted, absent, version, limit } = answer;
  const isWhole = COUNTS.every((name) => isCount(answer[name])) &&
    (limit === null || isCount(limit)) && (version === null || typeof version === "string") &&
    typeof counted === "object" && typeof absent === "object";
  if (!isWhole) return "its agent's answer is not one of offheap's";
  const numbers: Partial<Record<AllocatorFigure, number>> = {};
  const reasons: Partial<Record<AllocatorFigure, string>> = {};
  for (const name of ALLOCATOR_FIGURES) {
    const value = counted?.[name];
    if (isCount(value)) numbers[name] = value;
    else reasons[name] = String(absent?.[name] ?? "it was not counted");
  }
  return { ...answer, counted: numbers, absent: reasons, pressed: answer.pressed === true };
}

/** A listed process with its agent's answer, or why there is none. */
export function withAgent(listed: ListedProcess, answer: AgentStats | string): ListedProcess {
  if (typeof answer === "string") {
    return { ...listed, absent: { ...listed.absent, allocated: answer, heldBack: answer } };
  }
  const { counted, absent, limit } = answer;
  const { allocated } = counted;
  const heldBack = heldBackOf(answer);
  const tightest = Math.min(limit ?? Infinity, listed.limit ?? Infinity);
  const { limit: whyNoLimit, ...before } = listed.absent;
  return {
    ...listed,
    allocator: findAllocator(answer.allocator)?.name ?? listed.allocator,
    verified: findAllocator(answer.allocator) !== null,
    allocated: allocated ?? null,
    heldBack: typeof heldBack === "string" ? null : heldBack,
    limit: Number.isFinite(tightest) ? tightest : null,
    absent: {
      ...before,
      ...(whyNoLimit === undefined || Number.isFinite(tightest) ? {} : { limit: whyNoLimit }),
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
