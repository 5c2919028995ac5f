/**
 * What a launch has asked of a process, by the environment that the process was started with.
 *
 * @module
 */
import { basename } from "node:path";
import { findAllocator } from "../../allocators/mod.ts";
import { AGENT_VARIABLE } from "../../run/agent.ts";
import { launchSettings, PROFILE_ENTRY } from "../../run/own-variables.ts";

/** What a launch has asked. */
export interface LaunchRecord {
  /** The profile of the allocator's options; `null` without one. */
  readonly profile: string | null;
  /** Whether offheap's agent was asked for. */
  readonly agent: boolean;
  /**
   * Whether what was preloaded is not there; `null` where nothing was preloaded, or that is unknown.
   *
   * @param serving Who serves `malloc`.
   * @param hasShim Whether offheap's shim is in the process.
   */
  isLost(serving: string, hasShim: boolean): boolean | null;
}

/** The shim, or a link to it. */
const SHIM = /(?:^|-)liboffheap\./;

/** The environment that `NAME=VALUE` entries make. */
export function environmentOf(entries: readonly string[]): Record<string, string> {
  const environment: Record<string, string> = Object.create(null);
  for (const entry of entries) {
    const at = entry.indexOf("=");
    if (at > 0) environment[entry.slice(0, at)] ??= entry.slice(at + 1);
  }
  return environment;
}

/** Reads what a launch has asked. */
export function launchOf(environment: Readonly<Record<string, string>>): LaunchRecord {
  const { preloaded, entries } = launchSettings(environment);
  const files = preloaded.map((path) => basename(path));
  const allocators = files.filter((file) => !SHIM.test(file));
  return {
    profile: entries.get(PROFILE_ENTRY) ?? null,
    agent: environment[AGENT_VARIABLE] !== undefined,
    isLost(serving, hasShim) {
      if (files.length === 0) return null;
      if (!hasShim && files.length > allocators.length) return true;
      // The C library's own serves where another was to.
      return allocators.length > 0 && (findAllocator(serving)?.library ?? null) === null;
    },
  };
}
