/**
 * How a profile's options go into an environment, beside what the user has set.
 *
 * @module
 */
import { inspect } from "node:util";
import { JEMALLOC_PREFIX } from "../../ffi/symbols/jemalloc.ts";
import { readConf } from "../allocators/jemalloc/conf.ts";
import { versionRank } from "../allocators/version-order.ts";
import { readVariables, variablesLike } from "../allocators/mimalloc/variables.ts";
import { requireOneOf } from "../options.ts";
import { ALLOCATOR_NAMES, type AllocatorName } from "../allocators/policy.ts";
import {
  PROFILE_NAMES,
  type ProfileName,
  type ProfileOption,
  type ProfileRange,
  PROFILES,
} from "../allocators/profiles.ts";

/** What a profile adds to an environment. */
export interface ProfileEnvironment {
  /** The variables to set, each with its whole value. */
  readonly variables: Readonly<Record<string, string>>;
  /** The options that the profile has and the user's own setting was kept for. */
  readonly kept: readonly string[];
  /** What the allocator will not take of the user's settings, or takes by another name; sentences. */
  readonly notes: readonly string[];
}

type Environment = Readonly<Record<string, string | undefined>>;

/** A jemalloc whose names have a prefix has it before this name, too, in capitals. */
export const JEMALLOC_VARIABLE = `${JEMALLOC_PREFIX.toUpperCase()}MALLOC_CONF`;

/**
 * What a profile sets for an allocator, beside what the user set: MALLOC_CONF keeps every key of
 * the user's, and mimalloc's variables that the user set, by any name or case, are left alone. What
 * the allocator will not take of it counts as not set, and is told.
 *
 * @param profile The profile.
 * @param allocator The allocator; `system` has no options.
 * @param version The allocator's version, such as `5.3.0`.
 * @param userEnvironment The environment as the user has it.
 * @param more Options to set beside the profile's, on the same terms.
 * @throws {TypeError} when an argument has the wrong type.
 * @throws {RangeError} when the profile or allocator is unknown, or no option is known for the
 * version.
 */
export function profileEnvironment(
  profile: ProfileName,
  allocator: AllocatorName,
  version: string,
  userEnvironment: Environment,
  more: readonly ProfileOption[] = [],
): ProfileEnvironment {
  const name = requireOneOf("apply a profile", "the profile", profile, PROFILE_NAMES);
  const kind = requireOneOf("apply a profile", "the allocator", allocator, ALLOCATOR_NAMES);
  if (typeof userEnvironment !== "object" || userEnvironment === null) {
    throw new TypeError(
      `Cannot apply a profile: the environment must be an object; got ${inspect(userEnvironment)}`,
    );
  }
  if (kind === "system") return { variables: {}, kept: [], notes: [] };
  const options = [...optionsFor(PROFILES[name][kind], kind, version), ...more];
  return kind === "jemalloc"
    ? mergeConf(options, userEnvironment[JEMALLOC_VARIABLE] ?? "", version)
    : mergeVariables(options, userEnvironment, version);
}

function optionsFor(
  ranges: readonly ProfileRange[],
  allocator: string,
  version: string,
): readonly ProfileOption[] {
  const wanted = rank(version);
  for (const { from, before, options } of ranges) {
    if (wanted < rank(from) || (before !== null && wanted >= rank(before))) continue;
    return options.filter(({ since }) => since === undefined || wanted >= rank(since));
  }
  throw new RangeError(
    `Cannot apply a profile: the version of ${allocator} must be at least ${ranges[0]?.from}; ` +
      `got ${inspect(version)}`,
  );
}

function rank(version: unknown): number {
  const found = typeof version === "string" ? versionRank(version) : null;
  if (found !== null) return found;
  const Kind = typeof version === "string" ? RangeError : TypeError;
  throw new Kind(
    `Cannot apply a profile: the version must be like "5.3.0"; got ${inspect(version)}`,
  );
}

function mergeConf(
  options: readonly ProfileOption[],
  user: string,
  version: string,
): ProfileEnvironment {
  const { pairs, faults } = readConf(user, version);
  const keys = new Set(pairs.map(({ key }) => key));
  const added: string[] = [];
  const kept: string[] = [];
  const variables: Record<string, string> = {};
  for (const { name, value, aliases = [], variable } of options) {
    const set = [name, ...aliases].find((key) => keys.has(key));
    if (set !== undefined) kept.push(`${JEMALLOC_VARIABLE}:${set}`);
    else if (variable !== undefined) variables[variable] = value;
    else added.push(`${name}:${value}`);
  }
  // jemalloc stops where it cannot read on: the user's come last.
  const conf = user === "" ? added : [...added, user];
  if (added.length > 0) variables[JEMALLOC_VARIABLE] = conf.join(",");
  const notes = faults.map((fault) =>
    `${JEMALLOC_VARIABLE}: jemalloc ${version} will not take ${fault}; it will say so, too`
  );
  return { variables, kept, notes };
}

function mergeVariables(
  options: readonly ProfileOption[],
  environment: Environment,
  version: string,
): ProfileEnvironment {
  // mimalloc takes its variables in any case, and an empty one as "yes".
  const names = new Map<string, string>();
  for (const [name, value] of Object.entries(environment)) {
    if (value !== undefined) names.set(name.toUpperCase(), name);
  }
  const known = (variable: string): string | undefined =>
    variablesLike(variable, version).map((name) => names.get(name)).find((name) => name);
  const { strange, faults } = readVariables(environment, version);
  const refused = new Set(faults.map(({ variable }) => variable));
  // Who sets an option by the names of several versions means each of them.
  const told = strange.filter(({ variable, instead }) =>
    instead === null || (known(instead) === undefined && !refused.has(variable))
  );
  const variables: Record<string, string> = {};
  const translated = new Map<string, string>();
  for (const { variable, instead } of told) {
    if (instead === null) continue;
    variables[instead] = environment[variable] ?? "";
    translated.set(instead, variable);
  }
  const kept: string[] = [];
  for (const { name, value } of options) {
    const set = known(name) ?? translated.get(name);
    if (set === undefined) variables[name] = value;
    else if (!refused.has(set)) kept.push(set);
    else variables[set] = value;
  }
  return { variables, kept, notes: [...told, ...faults].map(({ why }) => why) };
}
