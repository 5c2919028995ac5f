/**
 * What a launch preloads and sets, decided before anything is started.
 *
 * @module
 */
import { BUILD_COMMAND } from "../build-command.ts";
import process from "node:process";
import { readEnvironment, readVariable } from "../environment.ts";
import { LaunchError } from "../errors.ts";
import { GUARD_FEATURE, type Variant } from "../library/manifest.ts";
import { platformPackage } from "../library/places.ts";
import { LIBRARY_VARIABLE, type ResolvedLibrary, resolveLibrary } from "../library/resolve.ts";
import { hostTarget } from "../library/target.ts";
import { libraryVersion } from "../library/version.ts";
import { ownOptions, requireFlag, requireOneOf, requirePath } from "../options.ts";
import { FILES, withPermissions } from "../permissions.ts";
import {
  type AllocatorName,
  allocatorNamed,
  ALLOCATORS,
  BUILT_ALLOCATORS,
  findAllocator,
  isLoadable,
} from "../allocators/mod.ts";
import { type AllocatorChoice, selectAllocator } from "../allocators/policy.ts";
import {
  AGENT_OPTION_NAMES,
  AGENT_VARIABLE,
  type AgentOptions,
  agentSettings,
  checkAgentOptions,
} from "./agent.ts";
import {
  checkHeapProfiling,
  HEAP_PROFILING_OPTION_NAMES,
  HEAP_PROFILING_VARIABLE,
  type HeapProfilingOptions,
  type ProfilingSettings,
  profilingSettings,
  requireSampling,
  samplingOptions,
} from "./heap-profiling.ts";
import { type OtherPreloads, readSystemPreload, refuseOtherAllocators } from "./other-preloads.ts";
import { preloadEntries, recordSettings, RUNTIMES, withoutLaunch } from "./own-variables.ts";
import { type LaunchPlatform, launchPlatform } from "./platforms.ts";
import { preloadName } from "./preload-path.ts";
import {
  DEFAULT_PROFILE,
  PROFILE_NAMES,
  type ProfileEnvironment,
  type ProfileName,
  type ProfileOption,
} from "../allocators/profiles.ts";
import { profileEnvironment } from "./tuning.ts";
import { preloadWarnings } from "./waiting.ts";

/** How a program is to be launched. */
export interface LaunchOptions extends AgentOptions, HeapProfilingOptions {
  /** The allocator; `auto`, the default, is the policy's. */
  readonly allocator?: AllocatorChoice | undefined;
  /** How the allocator is tuned; `balanced` by default. */
  readonly profile?: ProfileName | undefined;
  /** Take the variant that guards against misuse of memory, and switch its guards on. */
  readonly secure?: boolean | undefined;
  /** The path of the allocator's library; without it the usual places are looked at. */
  readonly library?: string | undefined;
}

/** The dynamic linker's variable for libraries that watch it. */
const AUDIT_VARIABLE = "LD_AUDIT";
/** The allocators that have profiles. */
const TUNED = ALLOCATORS.filter(({ library }) => (library?.tuning ?? null) !== null)
  .map(({ name }) => name);

const OPTION_NAMES: readonly (keyof LaunchOptions)[] = [
  "allocator",
  "profile",
  "secure",
  "library",
  ...AGENT_OPTION_NAMES,
  ...HEAP_PROFILING_OPTION_NAMES,
];

/** What a launch preloads and sets. */
export interface LaunchPlan {
  /** The allocator that was chosen. */
  readonly allocator: AllocatorName;
  /** The allocator's library; `null` for the system's. */
  readonly library: ResolvedLibrary | null;
  /** offheap's shim, which checks inside the program. */
  readonly shim: ResolvedLibrary;
  /** The environment as it would be without offheap: what an outer launch has set is not in it. */
  readonly before: Readonly<Record<string, string>>;
  /** What is set for offheap's agent; `null` without one. */
  readonly agent: string | null;
  /** What is set for heap profiles; `null` where none was asked for. */
  readonly profiling: ProfilingSettings | null;
  /** The profile of the allocator's options; `null` where it has none. */
  readonly profile: ProfileName | null;
  /** The variables that tune the allocator. */
  readonly tuning: Readonly<Record<string, string>>;
  /** What the user should know of the settings and the library; sentences without their end. */
  readonly notes: readonly string[];
}

/** Appends to a preload variable's value; what is there keeps its place. */
export function appendPreload(
  existing: string | undefined,
  names: readonly string[],
  platform = launchPlatform(),
): string {
  const entries = preloadEntries(existing, platform);
  return [...entries, ...names.filter((name) => !entries.includes(name))].join(":");
}

function tuneAllocator(
  allocator: AllocatorName,
  options: LaunchOptions,
  library: ResolvedLibrary | null,
  environment: Readonly<Record<string, string>>,
  more: readonly ProfileOption[],
): ProfileEnvironment {
  const known = allocatorNamed(allocator).library;
  if (library === null || known === null) return { variables: {}, kept: [], notes: [] };
  const version = libraryVersion(library);
  if (version === null) {
    throw new LaunchError(
      `Cannot run a command under "${library.path}": it does not report its version, and so is not ` +
        `a ${allocator} that offheap knows. ${
          known.installation ?? `Take one that "${BUILD_COMMAND}" made`
        }.`,
    );
  }
  const profile = options.profile ?? DEFAULT_PROFILE;
  const guards = options.secure === true ? known.tuning?.secureOptions ?? [] : [];
  const trims = options.agent !== false && options.idleTrim !== 0 && launchPlatform().hasAgent;
  return profileEnvironment(profile, allocator, version, environment, [...guards, ...more], trims);
}

/** The variant of the library that is preloaded. */
export function variantOf({ secure }: LaunchOptions, platform: LaunchPlatform): Variant {
  if (secure !== true) return platform.variant;
  if ("variant" in platform.secure) return platform.secure.variant;
  throw new LaunchError(`Cannot run a command with --secure: ${platform.secure.refusal}.`);
}

/** A build without offheap's layer stops less than the system's own allocator does. */
function requireGuards({ path, manifest }: ResolvedLibrary): void {
  if (manifest?.features.includes(GUARD_FEATURE) === true) return;
  throw new LaunchError(
    `Cannot run a command with --secure under "${path}": it was not built with offheap's guards ` +
      "against misuse, which are for Linux, and stops less of it than the system's allocator " +
      `does. Build one with "${BUILD_COMMAND} --variant secure --force", and name no other library.`,
  );
}

/** What else is preloaded; `null` where offheap does not look. */
function otherPreloads(
  library: ResolvedLibrary | null,
  before: Readonly<Record<string, string>>,
  platform: LaunchPlatform,
): OtherPreloads | null {
  const { format, preloadVariable: variable } = platform;
  if (format !== "elf") return null;
  const names = preloadEntries(before[variable], platform);
  const system = hostTarget().libc === "glibc" ? readSystemPreload() : "";
  return { library: library?.path ?? null, variable, names, system };
}

function checkOptions(given: LaunchOptions): LaunchOptions {
  const action = "plan a launch";
  const own = ownOptions(action, given, OPTION_NAMES);
  const { allocator, profile, secure, library } = own;
  if (profile !== undefined) requireOneOf(action, "the profile", profile, PROFILE_NAMES);
  requireFlag(action, "secure", secure);
  requireFlag(action, "agent", own.agent);
  requireFlag(action, "active", own.active);
  requirePath(action, "the library", library);
  if (library === undefined || findAllocator(allocator)?.library !== null) return own;
  throw new LaunchError(
    `Cannot preload "${library}" with the allocator "${allocator}", which is the C library's own. ` +
      "Leave out the library, or name its allocator.",
  );
}

/** Options that have no effect on an allocator are refused. */
function refuseIneffective(name: AllocatorName, { secure, profile }: LaunchOptions): void {
  const { source, library } = allocatorNamed(name);
  const called = library === null ? "the system's allocator" : name;
  const usual = selectAllocator({ platform: process.platform, environment: {} }).allocator;
  if (secure === true && source !== "build") {
    throw new LaunchError(
      `Cannot run ${called} with --secure: offheap builds secure variants of ` +
        `${BUILT_ALLOCATORS.join(" and ")} only. Take ${usual}, as without --allocator.`,
    );
  }
  if (profile !== undefined && (library?.tuning ?? null) === null) {
    throw new LaunchError(
      `Cannot run ${called} with --profile ${profile}: profiles are for ` +
        `${TUNED.join(" and ")}, and would have no effect. Leave it out, or take ${usual}.`,
    );
  }
}

/** What the user should know, and could not see otherwise. */
function notesOn(
  { kept, notes }: Omit<ProfileEnvironment, "variables">,
  library: ResolvedLibrary | null,
): readonly string[] {
  const all = [...notes];
  if (kept.length > 0) all.unshift(`your own settings are kept: ${kept.join(", ")}`);
  if (library === null && readVariable(LIBRARY_VARIABLE) !== undefined) {
    all.push(`${LIBRARY_VARIABLE} is not used: the system's allocator is part of the C library`);
  }
  if (library !== null && readVariable(AUDIT_VARIABLE) !== undefined) {
    all.push(
      `${AUDIT_VARIABLE} is set. If the dynamic linker says "cannot allocate memory in static TLS ` +
        'block", the command cannot be started with this variable: unset it',
    );
  }
  if (library?.origin === "system" && BUILT_ALLOCATORS.some((name) => name === library.name)) {
    all.push(
      `this system's own ${library.name} is used, "${library.path}": offheap's was not found, ` +
        `which comes with ${platformPackage(hostTarget().name)} or by "${BUILD_COMMAND}"`,
    );
  }
  return all;
}

/**
 * Chooses the allocator, finds its library and the shim, and works out the variables.
 *
 * @param environment The environment that is added to.
 * @throws {LibraryLoadError} when a library is missing or was altered.
 * @throws {LaunchError} when the library does not report its version, the options contradict, or
 * another allocator is preloaded already.
 * @throws {TypeError | RangeError} for bad options.
 */
export function planLaunch(
  given: LaunchOptions = {},
  environment: Readonly<Record<string, string>> = readEnvironment(),
): LaunchPlan {
  const options = checkOptions(given);
  const platform = launchPlatform();
  const before = withoutLaunch(environment);
  const { allocator } = selectAllocator({
    platform: process.platform,
    option: options.allocator,
    environment: before,
  });
  refuseIneffective(allocator, options);
  checkAgentOptions(options, platform);
  const sampling = checkHeapProfiling(options, allocator, hostTarget());
  const library = isLoadable(allocator)
    ? resolveLibrary({
      name: allocator,
      path: options.library,
      variant: variantOf(options, platform),
    })
    : null;
  if (library !== null && options.secure === true) requireGuards(library);
  if (library !== null && sampling !== null) requireSampling(sampling, library);
  const others = otherPreloads(library, before, platform);
  // Another allocator in front, or another copy of the same, would be what serves.
  if (others !== null) refuseOtherAllocators(others);
  const shim = resolveLibrary({ name: "offheap" });
  const more = samplingOptions(sampling, options.active);
  const { variables, ...merged } = tuneAllocator(allocator, options, library, before, more);
  const notes = [...notesOn(merged, library), ...preloadWarnings(allocator, others)];
  const agent = agentSettings(options, platform);
  const profiling = profilingSettings(sampling, before);
  const tuned = library !== null && allocatorNamed(allocator).library?.tuning !== null;
  const profile = tuned ? options.profile ?? DEFAULT_PROFILE : null;
  return { allocator, library, shim, before, agent, profiling, profile, tuning: variables, notes };
}

/**
 * The order in which the two are named. glibc's dynamic linker runs the constructors of what is named
 * later first; those of musl and macOS go in the order of the names.
 */
function preloadOrder(
  allocator: AllocatorName,
  library: ResolvedLibrary,
  shim: ResolvedLibrary,
): readonly ResolvedLibrary[] {
  const shimLast = allocatorNamed(allocator).library?.needsConstructor !== true;
  return shimLast || hostTarget().libc !== "glibc" ? [library, shim] : [shim, library];
}

/** What a launch preloads, in the order in which it is named; nothing is preloaded for nothing. */
export function preloadedLibraries(plan: LaunchPlan): readonly ResolvedLibrary[] {
  const { allocator, library, shim, agent } = plan;
  if (library !== null) return preloadOrder(allocator, library, shim);
  return agent === null ? [] : [shim];
}

/** The variables that preload libraries, tune the allocator and ask for the agent. */
export function preloadVariables(
  { before, tuning, agent, profiling, profile }: LaunchPlan,
  libraries: readonly ResolvedLibrary[],
): Record<string, string> {
  const { preloadVariable: variable } = launchPlatform();
  const names = libraries.map(({ path }) => preloadName(path));
  return recordSettings(before, {
    [variable]: appendPreload(before[variable], names),
    ...tuning,
    ...(profiling === null ? {} : {
      [HEAP_PROFILING_VARIABLE]: `${RUNTIMES}:${profiling.shim}`,
      ...profiling.flags,
    }),
    ...(agent === null ? {} : { [AGENT_VARIABLE]: `${RUNTIMES}:${agent}` }),
  }, profile);
}

/** The variables that put a program under the plan's allocator, without the check inside it. */
export function plannedVariables(plan: LaunchPlan): Record<string, string> {
  const libraries = preloadedLibraries(plan);
  return libraries.length === 0 ? {} : preloadVariables(plan, libraries);
}

/**
 * The variables that a program must set in the environment of a process it starts, so that the
 * process runs under the allocator: what `offheap env` prints. Variables that are set already are
 * kept, and an existing `LD_PRELOAD` is appended to; what an outer launch has set is replaced. On
 * macOS the variable is `DYLD_INSERT_LIBRARIES`, which programs of the system (`/usr/bin`, a shell
 * among them) drop.
 *
 * offheap's shim is preloaded, too: it starts offheap's agent in JavaScript runtimes once they have
 * made a thread, also where the allocator is the system's. The process is not checked from inside, as under
 * `offheap run`: call `requireAllocator()` in it.
 *
 * @throws {LibraryLoadError} when the library is missing or was altered.
 * @throws {LaunchError} where there is no way to preload, or the library cannot be preloaded.
 * @throws {TypeError | RangeError} for bad options.
 * @example
 * ```ts ignore
 * import { spawn } from "node:child_process";
 * import process from "node:process";
 * import { launchEnvironment } from "@offheap/offheap";
 *
 * spawn("node", ["server.js"], { env: { ...process.env, ...launchEnvironment() } });
 * ```
 */
export function launchEnvironment(options: LaunchOptions = {}): Record<string, string> {
  return withPermissions(FILES, () => plannedVariables(planLaunch(options)));
}
