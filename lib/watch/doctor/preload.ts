/**
 * What `LD_PRELOAD` names in a process's environment, and whether it took.
 *
 * @module
 */
import { statSync } from "node:fs";
import { basename, isAbsolute } from "node:path";
import { LaunchError } from "../../errors.ts";
import { ELF } from "../../run/elf.ts";
import { readSystemPreload, SYSTEM_PRELOAD, systemPreloadNames } from "../../run/other-preloads.ts";
import type { ProgramFile } from "../../run/types.ts";
import { fileIdentity } from "../../system/files.ts";
import { noexecMount } from "../../system/noexec.ts";
import { isNamed, type LoadedObject, type Searched } from "./objects.ts";
import type { DoctorEvidence } from "./types.ts";

/** What a preload is judged by. */
export interface PreloadContext {
  /** `/proc/PID`. */
  readonly directory: string;
  /** What `LD_PRELOAD` names, in order. */
  readonly preload: readonly string[];
  /** What is mapped. */
  readonly objects: readonly LoadedObject[];
  /** Who serves `malloc`; `null` when that is not known. */
  readonly server: LoadedObject | null;
  /** The program's file. */
  readonly program: ProgramFile;
  /** Whether it is statically linked. */
  readonly isStatic: boolean;
  /** Whether it runs in secure-execution mode. */
  readonly secure: boolean;
}

/** One name in `LD_PRELOAD` that is not mapped, and why. */
export interface LostPreload {
  /** The name. */
  readonly name: string;
  /** Why, as a clause. */
  readonly reason: string;
}

/** The names in `LD_PRELOAD` of an environment. */
export function readPreload(environment: readonly string[]): string[] {
  const prefix = "LD_PRELOAD=";
  const value = environment.find((entry) => entry.startsWith(prefix)) ?? prefix;
  return value.slice(prefix.length).split(/[\s:]+/).filter((name) => name !== "");
}

/** The names in `/etc/ld.so.preload`, as a process sees that file; empty where it has none. */
export function systemPreloads(directory: string): string[] {
  return systemPreloadNames(readSystemPreload(`${directory}/root${SYSTEM_PRELOAD}`));
}

/** The mapped object that a name in `LD_PRELOAD` refers to. */
export function findPreloaded<T extends Searched>(
  directory: string,
  name: string,
  objects: readonly T[],
): T | undefined {
  const exact = objects.find((object) => object.path === name || object.name === name);
  if (exact !== undefined) return exact;
  // Without a directory the linker searches for it; $LIB, $ORIGIN and $PLATFORM it fills in.
  if (!name.includes("/")) return objects.find((object) => isNamed(object, name));
  if (name.includes("$")) return objects.find((object) => isNamed(object, basename(name)));
  const file = fileIdentity(placeOf(directory, name));
  if (file === null) return undefined;
  return objects.find(({ path }) => fileIdentity(`${directory}/root${path}`) === file);
}

/** The names that are not mapped. */
export function findLost(context: PreloadContext): LostPreload[] {
  const { directory, preload, objects } = context;
  return preload
    .filter((name) => findPreloaded(directory, name, objects) === undefined)
    .map((name) => ({ name, reason: reasonOf(context, name) }));
}

/** The evidence that the environment gives. */
export function examineEnvironment(context: PreloadContext): DoctorEvidence[] {
  const { directory, preload, objects, server } = context;
  const lost = new Map(findLost(context).map(({ name, reason }) => [name, reason]));
  const evidence = preload.map((name): DoctorEvidence => {
    const reason = lost.get(name);
    if (reason !== undefined) {
      const detail = `LD_PRELOAD names "${name}": set, but did not take: ${reason}`;
      return { scope: "process", check: "environment", outcome: "fail", detail };
    }
    const object = findPreloaded(directory, name, objects);
    const serves = object !== undefined && object === server;
    const detail = `LD_PRELOAD names "${name}", which is mapped` +
      (serves ? " and serves malloc" : ` ${describeBystander(object)}`);
    return { scope: "process", check: "environment", outcome: "pass", detail };
  });
  const named = preload.some((name) => findPreloaded(directory, name, objects) === server);
  if (preload.length > 0 && named) return evidence;
  const set = preload.length > 0 ? "LD_PRELOAD does not name it" : "LD_PRELOAD is not set";
  const detail = server === null ? set : `${set}; "${server.path}" ${originOf(context, server)}`;
  return [...evidence, { scope: "process", check: "environment", outcome: "pass", detail }];
}

function describeBystander(object: LoadedObject | undefined): string {
  return object?.exports.has("malloc") === true
    ? "but is not the first that defines malloc"
    : "and does not define malloc";
}

/** How an object came into the process, if not by `LD_PRELOAD`. */
function originOf({ directory, objects }: PreloadContext, server: LoadedObject): string {
  if (server === objects[0]) return "is the program itself";
  if (systemPreloads(directory).some((name) => findPreloaded(directory, name, [server]))) {
    return "is named by /etc/ld.so.preload";
  }
  const user = objects.find(({ elf }) => elf?.needed.some((name) => isNamed(server, name)));
  return user === undefined
    ? "is mapped all the same: the environment was changed, or it was opened while running"
    : `is linked to "${user.path}"`;
}

function reasonOf({ directory, program, isStatic, secure }: PreloadContext, name: string): string {
  if (isStatic) return "the program is statically linked";
  if (secure) return "the process runs in secure-execution mode (set-user-ID or capabilities)";
  if (!name.includes("/") || name.includes("$")) {
    return "the dynamic linker found no file of this name that fits";
  }
  try {
    const library = { ...ELF.readLibrary(placeOf(directory, name)), path: name };
    const identity = { uid: 0, euid: 0, gid: 0, egid: 0, noNewPrivileges: false };
    const refusal = ELF.rules
      .filter(({ about }) => about === "library")
      .map((rule) => rule.refusal({ program, called: "the program", library, identity }))
      .find((sentence) => sentence !== null);
    return refusal?.replace(/\.$/, "") ?? mountFault(directory, name) ??
      "it fits, so the file came after the start, or the environment was changed since";
  } catch (error) {
    if (!(error instanceof LaunchError)) return `it cannot be examined from here (${error})`;
    return error.message.replace(/^Cannot preload "[^"]*": /, "").replace(/\.$/, "");
  }
}

/** Why nothing can be loaded from a file's directory; `null` when it can. */
function mountFault(directory: string, name: string): string | null {
  const { dev } = statSync(placeOf(directory, name), { bigint: true });
  const mount = noexecMount(name, dev, directory);
  return mount === null
    ? null
    : `nothing can be loaded from there, as "${mount}" is mounted with noexec`;
}

/** Where a path that the process was given is found from here. */
function placeOf(directory: string, path: string): string {
  return isAbsolute(path) ? `${directory}/root${path}` : `${directory}/cwd/${path}`;
}
