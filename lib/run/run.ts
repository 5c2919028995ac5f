/**
 * Running a command under an allocator: all checks, then the command takes this process's place.
 *
 * @module
 */
import { writeSync } from "node:fs";
import process from "node:process";
import { launchByShim } from "../../ffi/mod.ts";
import { ownVariable, startOrCurrentEnvironment } from "../environment.ts";
import { LaunchError } from "../errors.ts";
import { ownProperties, requireFlag } from "../options.ts";
import { startArguments, type StartEnvironment, variableName } from "../process-start.ts";
import { checkLaunch, readPreloadLibrary } from "./check.ts";
import { requireUnchanged } from "./checked-file.ts";
import { becomeProgram } from "./exec.ts";
import { handProcessOn } from "./handover.ts";
import { requireMapDirectory } from "./heap-profiling.ts";
import { launchHost } from "./host.ts";
import { currentIdentity, thisProcess } from "./identity.ts";
import { REQUIRE_VARIABLE, RESTORE_VARIABLE, RUNTIMES, SHIM_VARIABLES } from "./own-variables.ts";
import {
  type LaunchOptions,
  type LaunchPlan,
  planLaunch,
  preloadedLibraries,
  preloadVariables,
} from "./plan.ts";
import { FIRST_PROCESS, requirementOf } from "./requirement.ts";
import { followCommand } from "./follow-command.ts";
import type { LibcName } from "../library/target.ts";
import type { Launch } from "./types.ts";
import { commandWarnings } from "./waiting.ts";
import { refuseWrapper } from "./wrappers.ts";

/** What to run, and how. */
export interface RunOptions extends LaunchOptions {
  /** The command and its arguments. */
  readonly command: readonly [string, ...string[]];
  /** Whether the command's children run under the allocator, too; `true` by default. */
  readonly inherit?: boolean | undefined;
}

function manifestLibc(value: string | null | undefined): LibcName | null {
  return value === "glibc" || value === "musl" ? value : null;
}

/** The lines by which the shim gives the command's children back what they would have had. */
function restoreOrder(
  launch: Launch,
  before: Readonly<Record<string, string>>,
  changed: Readonly<Record<string, string>>,
): string {
  const programs = launch.chain.filter(({ kind }) => kind === "program").length;
  const lines = Object.keys(changed).map((name) => {
    const former = before[name];
    if (former?.includes("\n") === true) {
      throw new LaunchError(
        `Cannot run a command with --no-inherit: ${name} must be a single line to be given back ` +
          `to the command's children; got ${JSON.stringify(former)}`,
      );
    }
    return former === undefined ? name : `${name}=${former}`;
  });
  return [`${thisProcess()}:${programs}`, ...lines].join("\n");
}

/** The launch's environment as it came in, but for the variables that are others by now. */
function entriesBefore(
  environment: Launch["environment"],
  { entries, variables }: StartEnvironment,
): string[] {
  const same = (name: string): boolean => ownVariable(environment, name) === variables[name];
  const kept = entries.filter((entry) => {
    const name = variableName(entry);
    return name === null || same(name);
  });
  const others = Object.entries(environment)
    .flatMap(([name, value]) => value === undefined || same(name) ? [] : `${name}=${value}`);
  return [...kept, ...others];
}

/** What a plan sets in a program. The check inside it is the shim's, also where nothing else is asked of it. */
function runVariables(plan: LaunchPlan): Record<string, string> {
  const preloaded = preloadedLibraries(plan);
  return preloadVariables(plan, preloaded.length === 0 ? [plan.shim] : preloaded);
}

/** The variables of a plan for one process, which requires the allocator of itself. */
function variablesFor(
  identity: string,
  plan: LaunchPlan,
  planned: Readonly<Record<string, string>>,
): Record<string, string> {
  const changed: Record<string, string> = {
    ...planned,
    [REQUIRE_VARIABLE]: `${identity}:${requirementOf(plan)}`,
  };
  for (const name of SHIM_VARIABLES) {
    const settings = planned[name]?.replace(RUNTIMES, "").replace(/^:/, "");
    if (settings !== undefined) changed[name] = `${identity}:${settings}`;
  }
  return changed;
}

/** The command's environment, `NAME=VALUE` each: ours, and all others as they came in. */
function commandEnvironment(
  plan: LaunchPlan,
  planned: Readonly<Record<string, string>>,
  launch: Launch,
  inherit: boolean,
  start: StartEnvironment,
): string[] {
  const changed = variablesFor(thisProcess(), plan, planned);
  const restore = inherit ? {} : { [RESTORE_VARIABLE]: restoreOrder(launch, plan.before, changed) };
  const ours = { ...changed, ...restore };
  return [
    ...entriesBefore(launch.environment, start).filter((entry) => {
      const name = variableName(entry);
      return name === null || !Object.hasOwn(ours, name);
    }),
    ...Object.entries(ours).map(([name, value]) => `${name}=${value}`),
  ];
}

/**
 * Follows a command to the program that runs in the end, and checks that it can run under a plan.
 *
 * @throws {LaunchError} when it cannot.
 */
function checkCommand(
  plan: LaunchPlan,
  words: readonly string[],
  sets: readonly string[],
  inherit: boolean,
): Launch {
  const [command = "", ...args] = words;
  const launch = followCommand(
    {
      command,
      args,
      environment: plan.before,
      sets: [REQUIRE_VARIABLE, RESTORE_VARIABLE, ...sets],
    },
    launchHost(),
  );
  if (!inherit) refuseWrapper(launch.program);
  const libraries = [plan.library, plan.shim].filter((library) => library !== null)
    .map(({ path, manifest }) => readPreloadLibrary(path, launch, manifestLibc(manifest?.libc)));
  checkLaunch(launch, libraries, currentIdentity());
  return launch;
}

/**
 * The environment in which a command that is started as a child runs as under {@linkcode runCommand}:
 * the first process of it ends with status 125 unless the plan's allocator serves it.
 *
 * @throws {LaunchError} when the command cannot be run like that.
 */
export function childEnvironment(
  plan: LaunchPlan,
  command: readonly string[],
): Record<string, string> {
  const planned = runVariables(plan);
  checkCommand(plan, command, Object.keys(planned), true);
  return { ...plan.before, ...variablesFor(FIRST_PROCESS, plan, planned) };
}

/** Says something on standard error at once: the stream's own queue would go with this program. */
function printNotes(notes: readonly string[]): void {
  for (const note of notes) {
    try {
      writeSync(process.stderr.fd, `offheap: ${note}\n`);
    } catch {
      // Nobody reads it, or not now: no reason to keep the program from running.
    }
  }
}

/**
 * Runs a command under an allocator, by taking this process's place: the process keeps its ID,
 * its descriptors and its parent, and the command's exit status and signals are its own. Arguments
 * and variables are those that this process was started with, byte for byte. A check inside the
 * command, before its `main`, ends it with status 125 when the allocator does not serve `malloc`.
 * Returns only by throwing; nothing has been started then.
 *
 * @throws {LaunchError} when the command cannot be run, or not under the allocator.
 * @throws {LibraryLoadError} when a library is missing or was altered.
 * @throws {TypeError | RangeError} for bad options.
 */
export function runCommand(options: RunOptions): never {
  const { command: words, inherit, ...settings } = ownProperties(options);
  requireFlag("run a command", "inherit", inherit);
  const start = startOrCurrentEnvironment();
  const plan = planLaunch(settings, start.variables);
  requireMapDirectory(plan.profiling);
  return launchByShim(plan.shim.path, () => {
    const planned = runVariables(plan);
    const inherits = inherit ?? true;
    const launch = checkCommand(plan, startArguments(words), Object.keys(planned), inherits);
    const variables = commandEnvironment(plan, planned, launch, inherits, start);
    if (launch.directory !== null) process.chdir(launch.directory);
    printNotes([...plan.notes, ...commandWarnings(plan.allocator, launch)]);
    const { path, argv, executed } = launch;
    requireUnchanged(launch.files);
    handProcessOn();
    return becomeProgram(plan.shim.path, path, argv, variables, executed);
  });
}
