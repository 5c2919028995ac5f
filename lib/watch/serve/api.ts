/**
 * What the page gets of processes: the shapes of `/api`.
 *
 * @module
 */
import { quoteCommand } from "../doctor/advice.ts";
import { judgeMemory } from "../doctor/memory/judge.ts";
import type { Observation } from "../doctor/memory/observation.ts";
import type { MemoryFinding, MemoryReport } from "../doctor/memory/types.ts";
import { partsOf } from "../memory/parts.ts";
import type { NearLimit } from "../metrics/limits.ts";
import type { ListedProcess } from "../processes/types.ts";
import type { Machine, WatchedProcess } from "./machine.ts";

/** A process in the list. */
export interface ApiProcess extends Omit<ListedProcess, "command" | "absent"> {
  /** Its arguments as a shell takes them, cut where they are long. */
  readonly command: string;
  /** How it is called in metrics. */
  readonly program: string;
  /** The allocator's version. */
  readonly version: string | null;
  /** The launch's profile. */
  readonly profile: string | null;
  /** Whether what was to be preloaded is not there. */
  readonly lost: boolean | null;
  /** Whether its agent answers. */
  readonly agent: boolean;
  /** Whether its memory is short. */
  readonly short: boolean;
  /** What is wrong with its memory. */
  readonly finding: Pick<MemoryFinding, "verdict" | "because" | "next" | "sure">;
  /** How near its limits are. */
  readonly limits: readonly NearLimit[];
  /** Why figures are `null`. */
  readonly absent: ListedProcess["absent"];
}

/** One figure over time; `null` where it was not counted. */
export type Series = readonly (number | null)[];

/** One process. */
export interface ApiDetails {
  /** As in the list. */
  readonly process: ApiProcess;
  /** Where its memory is, and what is wrong with it. */
  readonly report: MemoryReport;
  /** When it was looked at, in seconds since 1970. */
  readonly at: readonly number[];
  /** The parts of RSS, by name. */
  readonly parts: Readonly<Record<string, Series>>;
  /** Figures of the allocator, by name. */
  readonly allocator: Readonly<Record<string, Series>>;
  /** Page faults in a second, by kind. */
  readonly faults: Readonly<Record<string, Series>>;
  /** What share of the limits was used, by whose they are. */
  readonly used: Readonly<Record<string, Series>>;
}

const LONGEST_COMMAND = 400;

/** So few that a thousand processes are judged in a moment; a trend needs eight. */
const JUDGED = 24;

function every<T>(all: readonly T[], most: number): T[] {
  const step = Math.max(1, Math.ceil(all.length / most));
  return all.filter((_, index) => (all.length - 1 - index) % step === 0);
}

function judge(
  { listed, hasAgent }: WatchedProcess,
  observations: readonly Observation[],
): MemoryReport {
  const { pid, runtime, command } = listed;
  const patient = { pid, runtime, command: quoteCommand(command), hasAgent };
  return judgeMemory({ patient, observations, purged: null });
}

/** A process in the list. */
export function describeProcess(machine: Machine, watched: WatchedProcess): ApiProcess {
  const { listed, program, limits, reading: { serving, agent } } = watched;
  const { verdict, because, next, sure } = judge(
    watched,
    every(machine.history(watched.key), JUDGED).map(({ observation }) => observation),
  );
  return {
    ...listed,
    command: quoteCommand(listed.command).slice(0, LONGEST_COMMAND),
    program,
    version: serving.version,
    profile: serving.profile,
    lost: serving.lost,
    agent: agent !== null,
    short: agent?.pressed ?? false,
    finding: { verdict, because, next, sure },
    limits,
  };
}

/** The figures of the allocator that the page draws. */
const DRAWN = ["allocated", "active", "resident", "mapped"] as const;

/** One process with what was seen of it until now. */
export function detailProcess(machine: Machine, watched: WatchedProcess): ApiDetails {
  const history = machine.history(watched.key);
  const observations = history.map(({ observation }) => observation);
  const parts: Record<string, (number | null)[]> = {};
  for (const [index, observation] of observations.entries()) {
    for (const { name, bytes } of partsOf(observation)) {
      parts[name] ??= new Array(observations.length).fill(null);
      parts[name][index] = bytes;
    }
  }
  return {
    process: describeProcess(machine, watched),
    report: judge(watched, observations),
    at: observations.map(({ at }) => at / 1000),
    parts,
    allocator: Object.fromEntries(
      DRAWN.map((name) => [
        name,
        observations.map(({ allocator }) => allocator.figures[name] ?? null),
      ]),
    ),
    faults: {
      minor: perSecond(observations, ({ kernel }) => kernel.minorFaults),
      major: perSecond(observations, ({ kernel }) => kernel.majorFaults),
    },
    used: Object.fromEntries(
      watched.limits.map(({ source }) => [source, history.map(({ used }) => used[source] ?? null)]),
    ),
  };
}

function perSecond(
  observations: readonly Observation[],
  read: (observation: Observation) => number | undefined,
): Series {
  return observations.map((observation, index) => {
    const before = observations[index - 1];
    const [from, to] = [before === undefined ? undefined : read(before), read(observation)];
    if (before === undefined || from === undefined || to === undefined) return null;
    const seconds = (observation.at - before.at) / 1000;
    return seconds > 0 ? Math.max(0, to - from) / seconds : null;
  });
}
