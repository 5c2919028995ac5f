/**
 * What a launch sets for offheap's agent, a thread in the launched program that gives memory back:
 * see `ffi/native/agent/agent.h`.
 *
 * @module
 */
import { inspect } from "node:util";
import { LaunchError } from "../errors.ts";
import type { LaunchPlatform } from "./platforms.ts";

/** The shim's variable that gives a process an agent. */
export const AGENT_VARIABLE = "OFFHEAP_AGENT";

/** What the agent of a launched program does; without any of these, it runs with its defaults. */
export interface AgentOptions {
  /** `false` leaves the agent out. Systems other than Linux have none. */
  readonly agent?: boolean | undefined;
  /**
   * The rest, in milliseconds, after which memory is given back: 1,000 by default, and 0 for never.
   */
  readonly idleTrim?: number | undefined;
  /**
   * A limit of resident memory, in bytes, near which memory is given back at once; or a part of the
   * tightest limit of the control groups, or of the machine's memory where they have none: `"80%"`.
   */
  readonly memoryLimit?: number | `${number}%` | undefined;
}

/** The names of {@linkcode AgentOptions}. */
export const AGENT_OPTION_NAMES = ["agent", "idleTrim", "memoryLimit"] as const;

const DEFAULT_IDLE_TRIM = 1000;

/** As many milliseconds as fit into a C `long` of 32 bits: 24 days. */
const LONGEST_IDLE_TRIM = 2 ** 31 - 1;

const MILLISECONDS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const BYTES: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

function readUnits(text: string, units: Readonly<Record<string, number>>): number | null {
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?)([A-Za-z]+)$/.exec(text) ?? [];
  const factor = Object.hasOwn(units, unit) ? units[unit] : undefined;
  return factor === undefined ? null : Math.round(Number(number) * factor);
}

/** The milliseconds of a duration such as `500ms`, `2s`, `5m` or `0`; `null` for any other text. */
export function readDuration(text: string): number | null {
  return text === "0" ? 0 : readUnits(text, MILLISECONDS);
}

/** A size such as `512KiB`, in bytes; `null` for any other text. */
export function readBytes(text: string): number | null {
  return readUnits(text, BYTES);
}

/** A limit such as `400MiB` or `80%`; `null` for any other text. */
export function readMemoryLimit(text: string): number | `${number}%` | null {
  return isPercentage(text) ? text : readBytes(text);
}

function isPercentage(value: unknown): value is `${number}%` {
  const [, digits] = /^(\d{1,3})%$/.exec(String(value)) ?? [];
  return digits !== undefined && Number(digits) >= 1 && Number(digits) <= 100;
}

function isCount(value: unknown, least: number, most: number): boolean {
  return Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most;
}

function refuse(what: string, value: unknown): never {
  const Kind = typeof value === "number" || typeof value === "string" ? RangeError : TypeError;
  throw new Kind(`Cannot plan a launch: ${what}; got ${inspect(value)}`);
}

/**
 * Refuses agent options that are malformed or contradict each other.
 *
 * @throws {TypeError | RangeError} when one is malformed.
 * @throws {LaunchError} when they contradict each other, or the system has no agent.
 */
export function checkAgentOptions(
  { agent, idleTrim, memoryLimit }: AgentOptions,
  platform: LaunchPlatform,
): void {
  if (idleTrim !== undefined && !isCount(idleTrim, 0, LONGEST_IDLE_TRIM)) {
    refuse("idleTrim must be a whole number of milliseconds, 24 days at most", idleTrim);
  }
  const limits = memoryLimit === undefined || isPercentage(memoryLimit) ||
    isCount(memoryLimit, 1, Number.MAX_SAFE_INTEGER);
  if (!limits) refuse('memoryLimit must be a number of bytes, or "1%" to "100%"', memoryLimit);
  if (idleTrim === undefined && memoryLimit === undefined) return;
  const option = idleTrim === undefined ? "memoryLimit (--memory-limit)" : "idleTrim (--idle-trim)";
  if (agent === false) {
    throw new LaunchError(
      `Cannot plan a launch: ${option} is for the agent, which is left out. Leave out one of the two.`,
    );
  }
  if (!platform.hasAgent) {
    throw new LaunchError(
      `Cannot plan a launch: ${option} is for the agent, which Linux alone has. Leave it out.`,
    );
  }
}

/** What the shim's variable says after who is meant; `null` where there is to be no agent. */
export function agentSettings(
  { agent, idleTrim = DEFAULT_IDLE_TRIM, memoryLimit }: AgentOptions,
  platform: LaunchPlatform,
): string | null {
  if (agent === false || !platform.hasAgent) return null;
  return [`idle=${idleTrim}`, ...(memoryLimit === undefined ? [] : [`limit=${memoryLimit}`])]
    .join();
}
