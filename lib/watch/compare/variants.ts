/**
 * What is compared: allocators, profiles and environments, each as the variables of a process, and
 * how each is proven to serve it.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { inspect } from "node:util";
import { ALLOCATOR_NAMES, type AllocatorName, BUILT_ALLOCATORS } from "../../allocators/mod.ts";
import { PROFILE_NAMES, type ProfileName } from "../../allocators/profiles.ts";
import { findElfExports } from "../../binary/elf.ts";
import { CompareError, OffheapError, PermissionError } from "../../errors.ts";
import { ownOptions } from "../../options.ts";
import { preloadEntries, withoutLaunch } from "../../run/own-variables.ts";
import { type LaunchOptions, planLaunch } from "../../run/plan.ts";
import { launchPlatform } from "../../run/platforms.ts";
import { childEnvironment } from "../../run/run.ts";

/** What the plain program is called, without anything of offheap's. */
const SYSTEM = "system";

/** A variant as a user describes it. */
export interface VariantOptions extends LaunchOptions {
  /** Its name in reports. */
  readonly name: string;
  /** Whether offheap is left out; what is compared with in most cases. */
  readonly plain?: boolean;
  /** Variables that it gets besides; `null` takes one away. */
  readonly variables?: Readonly<Record<string, string | null>>;
}

/** A variant that can be run. */
export interface Variant {
  readonly name: string;
  /** All variables of its process. */
  readonly environment: Readonly<Record<string, string>>;
  /** The variables of its warm-up: with them the process ends unless the allocator serves it. */
  readonly proof: Readonly<Record<string, string>>;
  /** The library of the user's own that its warm-up must be seen to be served by, else `null`. */
  readonly serves: string | null;
  /** The words in front of a command that run it like this. */
  readonly words: readonly string[];
}

const KEYS: readonly (keyof VariantOptions)[] = [
  "name",
  "plain",
  "variables",
  "allocator",
  "profile",
  "secure",
  "library",
  "agent",
  "idleTrim",
  "memoryLimit",
  "heapProfiling",
  "active",
];

/** The variants without options: the plain program, what the agent does to it, and the allocators. */
export function usualVariants(profiles: readonly ProfileName[]): VariantOptions[] {
  const named = (allocator: AllocatorName, profile: ProfileName): VariantOptions => ({
    name: profiles.length === 1 ? allocator : `${allocator} ${profile}`,
    allocator,
    profile,
  });
  return [
    { name: SYSTEM, plain: true },
    { name: "system with agent", allocator: "system" },
    ...BUILT_ALLOCATORS.flatMap((allocator) =>
      profiles.map((profile) => named(allocator, profile))
    ),
  ];
}

function checkVariant(given: unknown, where: string): VariantOptions {
  const action = `read ${where}`;
  if (typeof given !== "object" || given === null) {
    throw new CompareError(
      `Cannot ${action}: each variant must be an object with a name; got ${inspect(given)}`,
    );
  }
  const variant = ownOptions(action, given as VariantOptions, KEYS);
  const { name, variables = {}, allocator, profile } = variant;
  const values = typeof variables === "object" && variables !== null
    ? Object.values(variables)
    : [0];
  const faults: readonly (readonly [boolean, string])[] = [
    [typeof name !== "string" || name === "", "its name must be a text"],
    [
      values.some((value) => value !== null && typeof value !== "string"),
      "its variables must be an object of texts, or null to take one away",
    ],
    [
      allocator !== undefined && allocator !== "auto" && !ALLOCATOR_NAMES.includes(allocator),
      `its allocator must be one of ${ALLOCATOR_NAMES.join(", ")}`,
    ],
    [
      profile !== undefined && !PROFILE_NAMES.includes(profile),
      `its profile must be one of ${PROFILE_NAMES.join(", ")}`,
    ],
  ];
  const fault = faults.find(([isFault]) => isFault);
  if (fault === undefined) return variant;
  throw new CompareError(`Cannot ${action}: ${fault[1]}; got ${inspect(given)}`);
}

/**
 * Reads variants from a JSON file: an array of objects.
 *
 * @throws {CompareError} when it is not one.
 */
export function readVariants(path: string): VariantOptions[] {
  let list: unknown;
  try {
    list = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CompareError(`Cannot read the variants in "${path}": ${why}`);
  }
  if (!Array.isArray(list) || list.length === 0) {
    throw new CompareError(
      `Cannot read the variants in "${path}": it must hold an array of variants, such as ` +
        '[{"name": "system", "plain": true}, {"name": "long decay", "allocator": "jemalloc", ' +
        '"variables": {"MALLOC_CONF": "dirty_decay_ms:30000"}}]',
    );
  }
  const variants = list.map((each) => checkVariant(each, `the variants in "${path}"`));
  const names = variants.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice === undefined) return variants;
  throw new CompareError(`Cannot read the variants in "${path}": two are named "${twice}"`);
}

function withVariables(
  environment: Readonly<Record<string, string>>,
  variables: VariantOptions["variables"] = {},
): Record<string, string> {
  const result: Record<string, string> = { ...environment };
  for (const [name, value] of Object.entries(variables)) {
    if (value === null) delete result[name];
    else result[name] = value;
  }
  return result;
}

/** The words that set variables for a command, and take some away. */
function settingWords(variables: VariantOptions["variables"] = {}): string[] {
  const all = Object.entries(variables);
  if (all.length === 0) return [];
  return [
    "env",
    ...all.flatMap(([name, value]) => value === null ? ["-u", name] : []),
    ...all.flatMap(([name, value]) => value === null ? [] : [`${name}=${value}`]),
  ];
}

function limitWord(limit: number | string): string {
  return typeof limit === "number" ? `${limit}B` : limit;
}

function intervalWord(interval: number | true): string {
  return interval === true ? "" : `=${interval}B`;
}

/** The options of `offheap run` for a launch. */
export function launchWords(options: LaunchOptions): string[] {
  const { allocator, profile, secure, library, agent, idleTrim, memoryLimit } = options;
  const { heapProfiling = false, active } = options;
  return [
    ...(allocator === undefined ? [] : ["-a", allocator]),
    ...(profile === undefined ? [] : ["-p", profile]),
    ...(secure === true ? ["--secure"] : []),
    ...(library === undefined ? [] : ["--library", library]),
    ...(agent === false ? ["--no-agent"] : []),
    ...(idleTrim === undefined ? [] : ["--idle-trim", idleTrim === 0 ? "0" : `${idleTrim}ms`]),
    ...(memoryLimit === undefined ? [] : ["--memory-limit", limitWord(memoryLimit)]),
    ...(heapProfiling === false ? [] : [`--heap-profiling${intervalWord(heapProfiling)}`]),
    ...(active === true ? ["--active"] : []),
  ];
}

/**
 * The allocator's library that a plain variant preloads by itself; `null` without one.
 *
 * @throws {CompareError} when a file that it names is no library.
 */
function ownAllocator({ name, variables = {} }: VariantOptions): string | null {
  const platform = launchPlatform();
  const named = variables[platform.preloadVariable];
  const files = typeof named === "string" ? preloadEntries(named, platform) : [];
  const isAllocator = (file: string): boolean => {
    try {
      return findElfExports(file, ["malloc"]).length > 0;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new CompareError(`Cannot preload "${file}" for "${name}": ${why}`);
    }
  };
  return files.find(isAllocator) ?? null;
}

/**
 * Works out a variant's environment, and checks that the command can be run under it.
 *
 * @param environment The user's environment.
 * @throws {OffheapError} when it cannot.
 */
export function prepareVariant(
  options: VariantOptions,
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
): Variant {
  const { name, plain, variables, ...launch } = options;
  const own = withVariables(environment, variables);
  const words = settingWords(variables);
  const serves = plain === true ? ownAllocator(options) : null;
  if (serves !== null) {
    const before = withoutLaunch(own);
    return { name, environment: before, proof: before, serves, words };
  }
  const plan = planLaunch(plain === true ? { allocator: "system", agent: false } : launch, own);
  const proof = childEnvironment(plan, command);
  if (plain === true) return { name, environment: plan.before, proof, serves, words };
  words.push("offheap", "run", ...launchWords(launch), "--");
  return { name, environment: proof, proof, serves, words };
}

/** A variant that cannot be prepared, with the reason. */
export interface LeftOut {
  readonly variant: string;
  readonly reason: string;
}

/** Prepares those that can be prepared, and says why the others cannot. */
export function prepareVariants(
  all: readonly VariantOptions[],
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
): { variants: Variant[]; leftOut: LeftOut[] } {
  const variants: Variant[] = [];
  const leftOut: LeftOut[] = [];
  for (const options of all) {
    try {
      variants.push(prepareVariant(options, command, environment));
    } catch (error) {
      // What the runtime does not permit is no variant's fault.
      if (!(error instanceof OffheapError) || error instanceof PermissionError) throw error;
      leftOut.push({ variant: options.name, reason: error.message });
    }
  }
  return { variants, leftOut };
}
