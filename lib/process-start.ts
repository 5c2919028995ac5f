/**
 * What this process was started with, byte for byte. A runtime decodes it, leaves some of it out, and
 * may add variables of files in the working directory; `/proc` has it as it came.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import { withPermission } from "../ffi/errors.ts";
import { SystemInfoError } from "./errors.ts";
import { decodeExact } from "./exact-text.ts";

/** The environment of a process: `NAME=VALUE`, mostly. */
export interface StartEnvironment {
  /** Every entry in its order, those without a name or with one that came before included. */
  readonly entries: readonly string[];
  /** The variables by name; of several of one name the first, as `getenv` has it. */
  readonly variables: Readonly<Record<string, string>>;
}

/** The strings of a file in which each ends with a NUL. */
function readStrings(path: string): string[] {
  let bytes: Uint8Array;
  try {
    bytes = withPermission(`read "${path}"`, "--allow-all", () => readFileSync(path));
  } catch (error) {
    if (!(error instanceof Error && "code" in error && "syscall" in error)) throw error;
    throw new SystemInfoError(
      `Cannot determine what this process was started with: "${path}" cannot be read (${error.code}). ` +
        "Mount /proc, and start offheap as a process that may read its own.",
      { cause: error },
    );
  }
  const strings: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf(0, at);
    const next = end === -1 ? bytes.length : end;
    strings.push(decodeExact(bytes.subarray(at, next)));
    at = next + 1;
  }
  return strings;
}

function collect(entries: readonly string[]): StartEnvironment {
  const variables: Record<string, string> = Object.create(null);
  for (const entry of entries) {
    const name = variableName(entry);
    if (name !== null && !(name in variables)) variables[name] = entry.slice(name.length + 1);
  }
  return { entries, variables };
}

/** The name of an entry's variable; `null` when it has none. */
export function variableName(entry: string): string | null {
  const equals = entry.indexOf("=");
  return equals > 0 ? entry.slice(0, equals) : null;
}

let environment: StartEnvironment | undefined;

/** Whether the system keeps what a process was started with. */
export function knowsStart(): boolean {
  return process.platform === "linux" || process.platform === "android";
}

/**
 * The environment that this process was started with, where {@linkcode knowsStart}. What the runtime
 * or the program has set since is not in it.
 *
 * @throws {SystemInfoError} when `/proc` cannot be read.
 * @throws {PermissionError} when the runtime does not permit it.
 */
export function startEnvironment(): StartEnvironment {
  return environment ??= collect(readStrings("/proc/self/environ"));
}

/** Runtimes differ in how many of these replace a run of bytes. */
const REPLACED = /\uFFFD+/g;

function alike(word: string, exact: string): boolean {
  const seen = exact.replace(/[\uDC80-\uDCFF]/gu, "\uFFFD");
  return seen.replace(REPLACED, "\uFFFD") === word.replace(REPLACED, "\uFFFD");
}

/**
 * The last of this process's arguments as they came in, for words that the runtime has given.
 *
 * @throws {SystemInfoError} when a word was changed, and `/proc` does not have what it was.
 * @throws {PermissionError} when the runtime does not permit to read `/proc`.
 */
export function startArguments(words: readonly string[]): readonly string[] {
  if (!knowsStart() || !words.join("").includes("\uFFFD")) return words;
  const exact = readStrings("/proc/self/cmdline").slice(-words.length);
  if (words.every((word, index) => alike(word, exact[index] ?? ""))) return exact;
  throw new SystemInfoError(
    "Cannot determine the arguments that this process was started with: some are not UTF-8, and " +
      '"/proc/self/cmdline" holds others. Start offheap without options that set its title.',
  );
}
