/**
 * offheap's own variables in the environment of a launched program, and the record of what a launch
 * has set there: a launch within it replaces that, and keeps what is the user's.
 *
 * @module
 */
import { inspect } from "node:util";
import { ALLOCATORS } from "../allocators/mod.ts";
import { LaunchError } from "../errors.ts";
import { AGENT_VARIABLE } from "./agent.ts";
import { flagSeparator, HEAP_PROFILING_VARIABLE } from "./heap-profiling.ts";
import { launchPlatform } from "./platforms.ts";

/** The shim's variable that requires an allocator in one process, see `ffi/native/offheap.c`. */
export const REQUIRE_VARIABLE = "OFFHEAP_REQUIRE";

/** The shim's variable that gives a program's children their former environment. */
export const RESTORE_VARIABLE = "OFFHEAP_RESTORE";

/** What a launch has set in other variables: `NAME=VALUE` each, parted by `+`, with escapes as in URLs. */
const SET_VARIABLE = "OFFHEAP_SET";

/** In that record the launch's profile, which is in no variable of its own. */
export const PROFILE_ENTRY = "OFFHEAP_PROFILE";

const TUNINGS = ALLOCATORS.flatMap(({ library }) => library?.tuning ?? []);

/**
 * The shim's variables that say which processes get a thread of offheap's or of the allocator's, or are
 * sampled: JavaScript runtimes, and the launched process where it is named.
 */
export const SHIM_VARIABLES: readonly string[] = [
  AGENT_VARIABLE,
  HEAP_PROFILING_VARIABLE,
  ...TUNINGS.flatMap((each) => each.shimVariables),
];

/** Who is meant in such a variable while nobody can name the process. */
export const RUNTIMES = "runtimes";

const OWN: readonly string[] = [
  REQUIRE_VARIABLE,
  RESTORE_VARIABLE,
  ...SHIM_VARIABLES,
  SET_VARIABLE,
];

/** What parts offheap's text from the user's in a variable that may hold both; `null` in others. */
function separatorOf(name: string): string | null {
  const joined = TUNINGS.find(({ joined }) => joined?.variable === name)?.joined;
  return joined?.separator ?? flagSeparator(name);
}

/** What parts the entries of the record. */
const SEPARATOR = "+";

type Variables = Readonly<Record<string, string>>;

/** The names in a preload variable's value. */
export function preloadEntries(
  value: string | undefined,
  { separators } = launchPlatform(),
): string[] {
  return (value ?? "").split(separators).filter((entry) => entry !== "");
}

/** What is offheap's in a variable that may hold the user's own text, too. */
function ownPart(name: string, value: string, before: string): string {
  if (name === launchPlatform().preloadVariable) {
    const former = preloadEntries(before);
    return preloadEntries(value).filter((entry) => !former.includes(entry)).join(":");
  }
  const separator = separatorOf(name);
  const joined = separator !== null && before !== "";
  return joined ? value.slice(0, -before.length - separator.length) : value;
}

/**
 * The same variables, with the record of them.
 *
 * @param profile The launch's profile; `null` where the allocator has none.
 */
export function recordSettings(
  before: Variables,
  variables: Variables,
  profile: string | null,
): Record<string, string> {
  const record = Object.entries(variables).filter(([name]) => !OWN.includes(name))
    .map(([name, value]) => `${name}=${escaped(ownPart(name, value, before[name] ?? ""))}`);
  if (profile !== null) record.push(`${PROFILE_ENTRY}=${profile}`);
  return { ...variables, [SET_VARIABLE]: record.join(SEPARATOR) };
}

function escaped(value: string): string {
  return encodeURI(value).replaceAll(SEPARATOR, encodeURIComponent(SEPARATOR));
}

function parseRecord(text: string): (readonly [string, string])[] {
  return text.split(SEPARATOR).map((entry) => {
    const [, name, value] = /^([A-Za-z_]\w*)=(.*)$/.exec(entry) ?? [];
    if (name === undefined || value === undefined) throw new URIError("it is no assignment");
    return [name, decodeURIComponent(value)];
  });
}

function readRecord(text: string): (readonly [string, string])[] {
  try {
    return parseRecord(text);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    throw new LaunchError(
      `Cannot plan a launch: ${SET_VARIABLE} must be what "offheap run" or "offheap env" has set; ` +
        `got ${inspect(text)}. Unset it.`,
      125,
      { cause: error },
    );
  }
}

/** What is left of a variable without offheap's part. */
function withoutOwn(name: string, value: string, own: string): string {
  if (name === launchPlatform().preloadVariable) {
    const entries = preloadEntries(own);
    return preloadEntries(value).filter((entry) => !entries.includes(entry)).join(":");
  }
  if (value === own) return "";
  const separator = separatorOf(name);
  const joined = separator !== null && value.startsWith(own + separator);
  return joined ? value.slice(own.length + separator.length) : value;
}

/**
 * An environment as it would be without the launch that this process runs under: without offheap's
 * own variables, and without what they say that it has set. What somebody has changed since is
 * theirs.
 *
 * @throws {LaunchError} when the record is malformed.
 */
export function withoutLaunch(environment: Variables): Record<string, string> {
  const left: Record<string, string> = Object.assign(Object.create(null), environment);
  const record = left[SET_VARIABLE];
  for (const name of OWN) delete left[name];
  if (record === undefined || record === "") return left;
  for (const [name, own] of readRecord(record)) {
    const value = left[name];
    if (value === undefined) continue;
    const rest = withoutOwn(name, value, own);
    if (rest === "") delete left[name];
    else left[name] = rest;
  }
  return left;
}

/** What a launch has set in an environment, for whoever looks at a process. */
export interface LaunchSettings {
  /** What it has set, by name; empty without a launch, and for a record that cannot be read. */
  readonly entries: ReadonlyMap<string, string>;
  /** The paths that it preloads. */
  readonly preloaded: readonly string[];
}

/** Reads what a launch has set, in an environment that anybody may have made. */
export function launchSettings(environment: Variables): LaunchSettings {
  let entries = new Map<string, string>();
  try {
    const record = environment[SET_VARIABLE] ?? "";
    if (record !== "") entries = new Map(parseRecord(record));
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
  }
  const preload = entries.get(launchPlatform().preloadVariable);
  return { entries, preloaded: preloadEntries(preload) };
}
