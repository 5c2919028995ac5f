/**
 * How options go into `MALLOC_CONF` beside what the user has set there.
 *
 * @module
 */
import { JEMALLOC_PREFIX } from "../../../ffi/symbols/jemalloc.ts";
import type { ProfileEnvironment, ProfileOption } from "../profiles.ts";
import type { Environment, Tuning } from "../types.ts";
import { readConf } from "./conf.ts";
import { BACKGROUND_VARIABLE, JEMALLOC_PROFILES } from "./profiles.ts";

/** A jemalloc whose names have a prefix has it before this name, too, in capitals. */
const VARIABLE = `${JEMALLOC_PREFIX.toUpperCase()}MALLOC_CONF`;

/** Between two options. */
const SEPARATOR = ",";

/** Every key of the user's is kept. What jemalloc will not take of them counts as not set, and is reported. */
function mergeOptions(
  options: readonly ProfileOption[],
  environment: Environment,
  version: string,
): ProfileEnvironment {
  const user = environment[VARIABLE] ?? "";
  const { pairs, faults } = readConf(user, version);
  const keys = new Set(pairs.map(({ key }) => key));
  const added: string[] = [];
  const kept: string[] = [];
  const variables: Record<string, string> = {};
  for (const { name, value, aliases = [], variable } of options) {
    const set = [name, ...aliases].find((key) => keys.has(key));
    if (set !== undefined) kept.push(`${VARIABLE}:${set}`);
    else if (variable !== undefined) variables[variable] = value;
    else added.push(`${name}:${value}`);
  }
  // jemalloc stops where it cannot read on: the user's come last.
  const conf = user === "" ? added : [...added, user];
  if (added.length > 0) variables[VARIABLE] = conf.join(SEPARATOR);
  const notes = faults.map((fault) =>
    `${VARIABLE}: jemalloc ${version} does not accept ${fault}; jemalloc reports it, too`
  );
  return { variables, kept, notes };
}

/** jemalloc takes all of its options in one variable. */
export const JEMALLOC_TUNING: Tuning = {
  profiles: JEMALLOC_PROFILES,
  secureOptions: [],
  merge: mergeOptions,
  joined: { variable: VARIABLE, separator: SEPARATOR },
  shimVariables: [BACKGROUND_VARIABLE],
};
