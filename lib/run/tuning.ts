/**
 * How a profile's options go into an environment, beside what the user has set.
 *
 * @module
 */
import { inspect } from "node:util";
import { versionRank } from "../allocators/version-order.ts";
import { requireOneOf } from "../options.ts";
import { ALLOCATOR_NAMES, type AllocatorName, allocatorNamed } from "../allocators/mod.ts";
import type { Environment } from "../allocators/types.ts";
import {
  PROFILE_NAMES,
  type ProfileEnvironment,
  type ProfileName,
  type ProfileOption,
  type ProfileRange,
} from "../allocators/profiles.ts";

/**
 * What a profile sets for an allocator, beside what the user set: MALLOC_CONF keeps every key of
 * the user's, and mimalloc's variables that the user set, by any name or case, are left alone. What
 * the allocator will not take of it counts as not set, and is reported.
 *
 * @param profile The profile.
 * @param allocator The allocator; `system` has no options.
 * @param version The allocator's version, such as `5.3.0`.
 * @param userEnvironment The environment as the user has it.
 * @param more Options to set beside the profile's, on the same terms.
 * @param agent Whether offheap's agent gives memory back at rest.
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
  agent = false,
): ProfileEnvironment {
  const name = requireOneOf("apply a profile", "the profile", profile, PROFILE_NAMES);
  const kind = requireOneOf("apply a profile", "the allocator", allocator, ALLOCATOR_NAMES);
  if (typeof userEnvironment !== "object" || userEnvironment === null) {
    throw new TypeError(
      `Cannot apply a profile: the environment must be an object; got ${inspect(userEnvironment)}`,
    );
  }
  const tuning = allocatorNamed(kind).library?.tuning ?? null;
  if (tuning === null) return { variables: {}, kept: [], notes: [] };
  const options = [...optionsFor(tuning.profiles[name], kind, version), ...more];
  const valued = options.map((option) =>
    agent && option.withAgent !== undefined ? { ...option, value: option.withAgent } : option
  );
  return tuning.merge(valued, userEnvironment, version);
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
