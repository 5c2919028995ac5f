/**
 * What else is preloaded: another allocator, or another copy of the same, would serve in place of the
 * one that was asked for. ELF only.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { ALLOCATORS } from "../allocators/mod.ts";
import { ElfError, readElfExports } from "../binary/elf.ts";
import { readVariable } from "../environment.ts";
import { LaunchError } from "../errors.ts";
import { fileIdentity, readTextIfPresent } from "../system/files.ts";
import { parseMaps } from "../system/linux-maps.ts";
import { MALLOC_SYMBOLS, OPERATORS } from "../../ffi/overrides.ts";

/** The list that glibc's dynamic linker reads for every program. */
export const SYSTEM_PRELOAD = "/etc/ld.so.preload";

/** Where a name without a directory may be, beside what this process has mapped. */
const DIRECTORIES: readonly string[] = ["/lib64", "/usr/lib64", "/lib", "/usr/lib"];

/** What is preloaded, and by what. */
export interface OtherPreloads {
  /** The allocator's library; `null` for the system's allocator. */
  readonly library: string | null;
  /** The preload variable. */
  readonly variable: string;
  /** What it names, in order. */
  readonly names: readonly string[];
  /** The text of the system's own list. */
  readonly system: string;
}

interface Entry {
  readonly where: string;
  readonly name: string;
  readonly path: string;
  readonly exports: ReadonlySet<string>;
}

/** The text of the system's own list; empty when there is none. */
export function readSystemPreload(path = SYSTEM_PRELOAD): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // Most systems have none, and the dynamic linker skips one that it cannot read.
    return "";
  }
}

/** The names in such a list; from `#` on, a line is a comment. */
export function systemPreloadNames(text: string): string[] {
  return text.replace(/#.*$/gm, "").split(/[\s:]+/).filter((name) => name !== "");
}

/**
 * This process was started with the same list: what a bare name led to is mapped here, by that name
 * or as what a link of that name leads to.
 */
function mappedAs(name: string): string[] {
  const maps = process.platform === "linux" ? readTextIfPresent("/proc/self/maps") ?? "" : "";
  const paths = new Set(parseMaps(maps).flatMap(({ path }) => path?.startsWith("/") ? path : []));
  const beside = new Set([...paths].map((path) => join(dirname(path), basename(name))));
  return [...[...paths].filter((path) => basename(path) === basename(name)), ...beside];
}

function findFile(name: string): string | null {
  if (name.includes("/") && !name.includes("$")) return name;
  const directories = (readVariable("LD_LIBRARY_PATH") ?? "").split(":").filter((part) =>
    part !== ""
  );
  const candidates = [...directories, ...DIRECTORIES].map((path) => join(path, basename(name)));
  const found = [...mappedAs(name), ...candidates].find((path) => fileIdentity(path) !== null);
  return found ?? null;
}

function readEntry(where: string, name: string): Entry | null {
  const path = findFile(name);
  if (path === null) return null;
  try {
    const exports = new Set(readElfExports(path).map((symbol) => symbol.name));
    return { where, name, path, exports };
  } catch (error) {
    // The dynamic linker says so itself, and goes on without it.
    if (error instanceof ElfError || fileIdentity(path) === null) return null;
    throw error;
  }
}

function firstOf(names: readonly string[], { exports }: Entry): string | undefined {
  return names.find((name) => exports.has(name));
}

function refuse(library: string | null, { where, name, path, exports }: Entry, why: string): never {
  const allocator = ALLOCATORS.find(({ mark, library }) =>
    library !== null && mark.symbols.some((symbol) => exports.has(symbol))
  );
  const other = allocator === undefined
    ? ""
    : `, or ask for it: --allocator ${allocator.name} --library "${path}"`;
  const under = library === null ? "the system's allocator" : `"${library}"`;
  throw new LaunchError(
    `Cannot run a program under ${under}: ${where} names "${name}", ${why}. ` +
      `Take it out of ${where}${other}.`,
  );
}

/**
 * Refuses what else is preloaded when it would serve memory in place of the allocator. Preloads
 * whose file cannot be found are left to the check inside the program.
 *
 * @throws {LaunchError} status 125, with the entry and what to do.
 */
export function refuseOtherAllocators({ library, variable, names, system }: OtherPreloads): void {
  const own = library === null ? null : fileIdentity(library);
  const isOwn = (entry: Entry) => own !== null && fileIdentity(entry.path) === own;
  const listed = names.map((name) => readEntry(variable, name)).filter((entry) => entry !== null);
  const at = listed.findIndex(isOwn);
  const ahead = at < 0 ? listed : listed.slice(0, at);
  for (const entry of ahead) {
    const symbol = firstOf(MALLOC_SYMBOLS, entry);
    if (symbol === undefined) continue;
    refuse(library, entry, `which defines ${symbol} itself and would serve it instead`);
  }
  const systemWide = systemPreloadNames(system).map((name) => readEntry(SYSTEM_PRELOAD, name));
  const others = [...listed.slice(ahead.length), ...systemWide];
  for (const entry of others) {
    if (entry === null || isOwn(entry) || !entry.exports.has("malloc")) continue;
    if (library === null) refuse(library, entry, "which is an allocator");
    const provided = readEntry(variable, library)?.exports;
    const left = OPERATORS.find((name) => entry.exports.has(name) && provided?.has(name) !== true);
    if (left === undefined) continue;
    const why =
      `another allocator, whose operators of C++ (${left}) would be used beside its malloc`;
    refuse(library, entry, why);
  }
}

/**
 * What has a function in place of the C library's that an allocator calls while it cannot serve yet:
 * the name of each, and the function.
 */
export function interposedCalls(
  { variable, names, system }: Omit<OtherPreloads, "library">,
  calls: readonly string[],
): (readonly [what: string, symbol: string])[] {
  const entries = [
    ...names.map((name) => readEntry(variable, name)),
    ...systemPreloadNames(system).map((name) => readEntry(SYSTEM_PRELOAD, name)),
  ];
  return entries.flatMap((entry) => {
    const symbol = entry === null ? undefined : firstOf(calls, entry);
    if (entry === null || symbol === undefined) return [];
    return [[`${entry.where} names "${entry.name}", which`, symbol] as const];
  });
}
