/**
 * Which allocator a system gets, and how a caller or the environment overrides it.
 *
 * @module
 */
import { inspect } from "node:util";
import { ownVariable } from "../environment.ts";
import { ownOptions, requireOneOf } from "../options.ts";
import { ALLOCATOR_NAMES, type AllocatorName } from "./mod.ts";

/** What a caller may ask for: an allocator, or `auto` for the policy's. */
export type AllocatorChoice = AllocatorName | "auto";

/** The environment variable that overrides the policy. */
export const ALLOCATOR_VARIABLE = "OFFHEAP_ALLOCATOR";

/** One row of the policy. */
export interface AllocatorPolicyRow {
  /** The allocator that this system gets. */
  readonly allocator: AllocatorName;
  /** Why, in one clause. */
  readonly reason: string;
}

const BROADEST: AllocatorPolicyRow = {
  allocator: "jemalloc",
  reason: "jemalloc supports the broadest range of Unix systems",
};

/**
 * The allocator of each platform that `process.platform` can name. They are spelt out here, since a
 * program that reads this type need not have Node's types.
 */
export const ALLOCATOR_POLICY: Readonly<
  Record<
    | "aix"
    | "android"
    | "cygwin"
    | "darwin"
    | "freebsd"
    | "haiku"
    | "linux"
    | "netbsd"
    | "openbsd"
    | "sunos"
    | "win32",
    AllocatorPolicyRow
  >
> = {
  linux: {
    allocator: "jemalloc",
    reason: "on Linux jemalloc keeps fragmentation of long-running servers low, " +
      "and has statistics and profiling",
  },
  darwin: {
    allocator: "mimalloc",
    reason: "on macOS mimalloc has the higher throughput, and copes with 16 KiB pages",
  },
  win32: { allocator: "mimalloc", reason: "mimalloc has a native Windows port" },
  freebsd: { allocator: "jemalloc", reason: "FreeBSD's C library already is jemalloc" },
  netbsd: { allocator: "jemalloc", reason: "NetBSD's C library already is jemalloc" },
  aix: BROADEST,
  android: BROADEST,
  cygwin: BROADEST,
  haiku: BROADEST,
  openbsd: BROADEST,
  sunos: BROADEST,
};

/** What {@linkcode selectAllocator} decides from. */
export interface AllocatorRequest {
  /** The platform, as `process.platform` names it. */
  readonly platform: string;
  /** What the caller asked for; `undefined` asks for nothing. */
  readonly option?: string | undefined;
  /** The environment to look for `OFFHEAP_ALLOCATOR` in; without it none is consulted. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
}

const REQUEST_NAMES: readonly (keyof AllocatorRequest)[] = ["platform", "option", "environment"];

/** An allocator, and where the choice came from. */
export interface AllocatorSelection {
  /** The allocator to use. */
  readonly allocator: AllocatorName;
  /** What decided: the caller's option, `OFFHEAP_ALLOCATOR`, or the policy table. */
  readonly origin: "option" | "environment" | "policy";
  /** Why, in one clause. */
  readonly reason: string;
}

/**
 * Chooses the allocator: the option, then `OFFHEAP_ALLOCATOR`, then {@linkcode ALLOCATOR_POLICY}.
 * `auto` in either place means the policy's; an empty variable counts as unset.
 *
 * @throws {TypeError} when a value has the wrong type.
 * @throws {RangeError} when an allocator or the platform is unknown; the message lists the known.
 * @example
 * ```ts
 * import process from "node:process";
 * import { selectAllocator } from "@offheap/offheap";
 *
 * const { allocator, reason } = selectAllocator({
 *   platform: process.platform,
 *   environment: process.env,
 * });
 * console.log(`${allocator}: ${reason}`);
 * ```
 */
export function selectAllocator(request: AllocatorRequest): AllocatorSelection {
  const { platform, option, environment } = ownOptions(
    "select an allocator",
    request,
    REQUEST_NAMES,
  );
  if (typeof platform !== "string") refuseType("the platform", "a string", platform);
  if (option !== undefined) {
    const allocator = parseChoice("the allocator option", option);
    if (allocator === "auto") return fromPolicy(platform);
    return { allocator, origin: "option", reason: `the caller asked for ${allocator}` };
  }
  if (environment !== undefined) {
    if (typeof environment !== "object" || environment === null) {
      refuseType("the environment", "an object", environment);
    }
    const value = ownVariable(environment, ALLOCATOR_VARIABLE);
    if (value !== undefined && value !== "") {
      const allocator = parseChoice(ALLOCATOR_VARIABLE, value);
      if (allocator === "auto") return fromPolicy(platform);
      return { allocator, origin: "environment", reason: `${ALLOCATOR_VARIABLE}=${allocator}` };
    }
  }
  return fromPolicy(platform);
}

function fromPolicy(platform: string): AllocatorSelection {
  for (const [name, row] of Object.entries(ALLOCATOR_POLICY)) {
    if (name === platform) return { ...row, origin: "policy" };
  }
  throw new RangeError(
    `Cannot select an allocator: the platform must be one of ${
      Object.keys(ALLOCATOR_POLICY).join(", ")
    }; got ${inspect(platform)}`,
  );
}

function parseChoice(what: string, value: unknown): AllocatorChoice {
  if (typeof value !== "string") refuseType(what, "a string", value);
  return requireOneOf<AllocatorChoice>("select an allocator", what, value, [
    "auto",
    ...ALLOCATOR_NAMES,
  ]);
}

function refuseType(what: string, wanted: string, got: unknown): never {
  throw new TypeError(`Cannot select an allocator: ${what} must be ${wanted}; got ${inspect(got)}`);
}
