/**
 * The processes of a machine, looked at again and again: each look is one snapshot, and what changes only
 * with a process is remembered.
 *
 * @module
 */
import { findAllocator, type ProcessAllocator } from "../../allocators/mod.ts";
import { figures, noFigures } from "../../allocators/statistics.ts";
import { SystemInfoError } from "../../errors.ts";
import { boundSockets, wantsAgent } from "../agent/sockets.ts";
import type { AgentStats } from "../agent/types.ts";
import type { Observation } from "../doctor/memory/observation.ts";
import { observeKernel } from "../doctor/memory/observe.ts";
import { JAVASCRIPT_FIGURES } from "../memory/types.ts";
import { partsOf } from "../memory/parts.ts";
import { limitsOf, type NearLimit } from "../metrics/limits.ts";
import type { MetricReading } from "../metrics/types.ts";
import { askSeen, forEachOf, withAgent } from "../processes/agents.ts";
import { learnFiles } from "../processes/files.ts";
import { lookAtProcesses } from "../processes/list.ts";
import type { ListedProcess, SeenProcess } from "../processes/types.ts";
import { History, type Sighting } from "./history.ts";
import { clean, programName } from "./names.ts";

/** A process at a moment. */
export interface WatchedProcess {
  /** Its ID and its start, by which it is known from another one that has its ID later. */
  readonly key: string;
  /** What is listed of it. */
  readonly listed: ListedProcess;
  /** How it is called in metrics. */
  readonly program: string;
  /** Whether it was started to have an agent. */
  readonly hasAgent: boolean;
  /** What its metrics are read of. */
  readonly reading: MetricReading;
  /** Where its memory is. */
  readonly observation: Observation;
  /** How near its limits are. */
  readonly limits: readonly NearLimit[];
}

/** The machine at a moment. */
export interface MachineLook {
  /** When, in milliseconds since 1970. */
  readonly at: number;
  /** How long it took, in seconds. */
  readonly seconds: number;
  /** The processes, the one with the most resident memory first. */
  readonly processes: readonly WatchedProcess[];
  /** How many others there are, which this user may not look at. */
  readonly hidden: number;
}

const NO_HEAP = "it is not looked at from outside";

/** What is looked at, and what is known from before. */
export class Machine {
  readonly #pids: readonly number[] | undefined;
  readonly #knowledge = learnFiles();
  readonly #history: History | null;
  /** When the processes that were named were started. */
  readonly #starts = new Map<number, number>();
  #looking: Promise<MachineLook> | null = null;

  /**
   * Looks at processes of these IDs, or at all that this user may look at.
   *
   * @param remembers Whether what was seen is kept.
   */
  constructor(pids: readonly number[] | undefined, remembers: boolean) {
    this.#pids = pids;
    this.#history = remembers ? new History() : null;
  }

  /**
   * Looks at them. Whoever asks while a look is under way gets that one.
   *
   * @throws {DoctorError} on another system than Linux.
   */
  async look(): Promise<MachineLook> {
    this.#looking ??= this.#lookNow();
    try {
      return await this.#looking;
    } finally {
      this.#looking = null;
    }
  }

  /** How a process was seen until now, the latest last. */
  history(key: string): readonly Sighting[] {
    return this.#history?.of(key) ?? [];
  }

  /** Whether it is to be looked at: not where a process that was named has ended, and this has its ID. */
  #isAsked({ listed: { pid }, startTicks }: SeenProcess): boolean {
    if (this.#pids === undefined) return true;
    const first = this.#starts.get(pid) ?? startTicks;
    this.#starts.set(pid, first);
    return first === startTicks;
  }

  async #lookNow(): Promise<MachineLook> {
    const start = performance.now();
    const at = Date.now();
    const { seen, hidden } = lookAtProcesses({
      pids: this.#pids,
      knowledge: this.#knowledge,
    });
    this.#knowledge.forgetEnded();
    const bound = boundSockets();
    const asked = seen.filter((each) => this.#isAsked(each));
    const found = await forEachOf(asked, async (each) => watch(each, await askSeen(each, bound)));
    const processes = found.filter((each) => each !== null)
      .sort((a, b) => b.listed.resident - a.listed.resident);
    this.#history?.add(processes.map((each) => [each.key, sightingOf(each)]));
    return { at, seconds: (performance.now() - start) / 1000, processes, hidden };
  }
}

function sightingOf({ observation, limits }: WatchedProcess): Sighting {
  const used = Object.fromEntries(limits.map(({ source, used, limit }) => [source, used / limit]));
  return { observation, used };
}

/** A process as it is now; `null` when it has ended meanwhile. */
function watch(
  { listed: before, startTicks, facts, group }: SeenProcess,
  answer: AgentStats | string,
): WatchedProcess | null {
  const { pid } = before;
  const agent = typeof answer === "string" ? null : answer;
  const listed = withAgent(before, answer);
  const name: ProcessAllocator = findAllocator(listed.allocator)?.name ?? "unknown";
  const version = agent?.version ?? null;
  const counted = {
    name,
    version: version === null ? null : clean(version),
    figures: agent === null
      ? noFigures(String(answer))
      : { ...agent.counted, absent: agent.absent },
  };
  const observation = observe(pid, counted);
  const rss = observation?.kernel.rss;
  if (observation === null || rss === undefined) return null;
  const { allocator, own, runtimeAllocator, kernel } = observation;
  const memory = { allocator, own, runtimeAllocator, kernel, group, parts: partsOf(observation) };
  return {
    key: `${pid}-${startTicks}`,
    // As the parts add up to it.
    listed: { ...listed, resident: rss },
    program: programName(listed),
    hasAgent: facts.launch.agent && (facts.runtime !== null || wantsAgent(pid)),
    reading: {
      serving: {
        name: listed.allocator,
        version: counted.version,
        verified: listed.verified,
        profile: facts.launch.profile === null ? null : clean(facts.launch.profile),
        lost: facts.launch.isLost(listed.allocator, facts.hasShim),
      },
      memory,
      agent,
    },
    observation,
    limits: limitsOf(memory, agent),
  };
}

function observe(pid: number, counted: Observation["allocator"]): Observation | null {
  try {
    return observeKernel(pid, counted, figures(JAVASCRIPT_FIGURES, {}, NO_HEAP), false);
  } catch (error) {
    if (error instanceof SystemInfoError) return null;
    throw error;
  }
}
