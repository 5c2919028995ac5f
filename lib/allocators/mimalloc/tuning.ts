/**
 * How options go into mimalloc's variables beside those that the user has set.
 *
 * @module
 */
import type { ProfileEnvironment, ProfileOption } from "../profiles.ts";
import type { Environment, Tuning } from "../types.ts";
import { MIMALLOC_PROFILES } from "./profiles.ts";
import { readVariables, variablesLike } from "./variables.ts";

/**
 * Variables that the user set, by any name or case, are left alone; one that the version has by
 * another name is set by that.
 */
function mergeOptions(
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
  const reported = strange.filter(({ variable, instead }) =>
    instead === null || (known(instead) === undefined && !refused.has(variable))
  );
  const variables: Record<string, string> = {};
  const translated = new Map<string, string>();
  for (const { variable, instead } of reported) {
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
  const replacements = faults.map(({ variable, why }) => {
    const names = [variable, ...variablesLike(variable, version)];
    const value = names.map((name) => variables[name]).find((each) => each !== undefined);
    const instead = value === undefined
      ? "mimalloc uses its default"
      : `the profile's ${JSON.stringify(value)} is set`;
    return `${why}; ${instead} instead`;
  });
  return { variables, kept, notes: [...reported.map(({ why }) => why), ...replacements] };
}

/** mimalloc takes each option in a variable of its own. */
export const MIMALLOC_TUNING: Tuning = {
  profiles: MIMALLOC_PROFILES,
  // What it finds wrong in its own lists, which offheap's layer does not guard, is printed. Damage ends
  // the process in any case.
  secureOptions: [{ name: "MIMALLOC_SHOW_ERRORS", value: "1" }],
  merge: mergeOptions,
  joined: null,
  shimVariables: [],
};
