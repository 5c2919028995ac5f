/**
 * A runtime's map of the code that it makes: where it is, and what is to be said of it.
 *
 * @module
 */
import { readdirSync, statfsSync, type Stats, statSync } from "node:fs";
import { basename, join } from "node:path";
import { CODE_MAP_DIRECTORY, type RuntimeProgram } from "../../../ffi/programs.ts";
import { linkText } from "../../system/files.ts";
import { formatBytes } from "../../units.ts";

/** A map, and how much of it there was. */
export interface CodeMap {
  /** The path by which this process opens it. */
  readonly path: string;
  /** Its size. */
  readonly bytes: number;
}

/** The process whose map it is. */
export interface MappingProcess {
  /** Its directory in `/proc`. */
  readonly directory: string;
  /** Its process ID in its own namespace. */
  readonly ownPid: number;
  /** Its environment, as it was started. */
  readonly environment: Readonly<Record<string, string>>;
}

/** A map of a service that compiles no functions at run time is far smaller, also after months. */
const LARGE = 64 * 2 ** 20;

const UNNAMED = "so that no function of JavaScript has a name";

/** Why there is none. */
function whyNone(
  { title, codeNames }: RuntimeProgram,
  path: string,
  { environment }: MappingProcess,
): string {
  if (codeNames === null) return `${title} writes no map of its code, ${UNNAMED}.`;
  const { variable, map } = codeNames;
  return environment[variable]?.includes(map) === true
    ? `The map of the runtime's code, "${path}", is not there, or is another process's, ${UNNAMED}.`
    : `The runtime wrote no map of its code, ${UNNAMED}: its ${variable} is without ${map}. What ` +
      `started it has replaced what "offheap run --heap-profiling" had set, and has to add to it.`;
}

/** What is to be said of a process without a map; nothing of one that is no runtime. */
function aboutNone(
  program: RuntimeProgram | null,
  path: string,
  process: MappingProcess,
): readonly string[] {
  if (program === null) return [];
  const { title, ownAllocator } = program;
  const unseen =
    `${title}'s Buffers are in an allocator of its own, which is not sampled: what addons ` +
    "and openAllocator() allocate is.";
  return [whyNone(program, path, process), ...(ownAllocator ? [unseen] : [])];
}

/** Whether a process has a file open, as a runtime has its map until it ends. */
function hasOpen(directory: string, { dev, ino }: Stats, name: string): boolean {
  const descriptors = join(directory, "fd");
  return readdirSync(descriptors).some((number) => {
    const path = join(descriptors, number);
    // Other descriptors may be of a file system that does not answer.
    if (basename(linkText(path)) !== name) return false;
    const open = statSync(path, { throwIfNoEntry: false });
    return open?.dev === dev && open.ino === ino;
  });
}

/** Finds the map; `null` without one. Notes say why, and what makes names doubtful. */
export function findCodeMap(
  program: RuntimeProgram | null,
  process: MappingProcess,
): { readonly codeMap: CodeMap | null; readonly notes: readonly string[] } {
  const { directory, ownPid } = process;
  const name = join(CODE_MAP_DIRECTORY, `perf-${ownPid}.map`);
  const path = join(directory, "root", name);
  const status = statSync(path, { throwIfNoEntry: false });
  // Anybody can make a file of this name, and a process that was killed leaves its own.
  if (status?.isFile() !== true || !hasOpen(directory, status, basename(name))) {
    return { codeMap: null, notes: aboutNone(program, name, process) };
  }
  const notes: string[] = [];
  if (statfsSync(path).bavail === 0) {
    notes.push(
      `The file system of "${name}" is full: functions that were compiled since then have no names, ` +
        "or those of others before them.",
    );
  }
  if (status.size >= LARGE) {
    notes.push(
      `The map of the runtime's code, "${name}", has grown to ${
        formatBytes(status.size)
      }. It grows ` +
        "with each function that is compiled, as by new Function(), until the process ends.",
    );
  }
  return { codeMap: { path, bytes: status.size }, notes };
}
