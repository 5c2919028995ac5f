/**
 * `offheap run` by the shortest way: it reads the words that need no help and no advice, and leaves
 * all others to the full command line, whose packages take longer to load than the rest.
 *
 * @module
 */
import { beMainThread } from "../../ffi/threads.ts";
import { keepToStart } from "../environment.ts";
import { PROFILE_NAMES } from "../allocators/profiles.ts";
import { readDuration, readMemoryLimit } from "../run/agent.ts";
import { readInterval } from "../run/heap-profiling.ts";
import { runCommand, type RunOptions } from "../run/run.ts";
import { ALLOCATOR_NAMES } from "../allocators/mod.ts";
import { failRun } from "./failure.ts";
import { quietExperimentalWarnings } from "./warnings.ts";

type Flag = "secure" | "inherit" | "agent" | "active";

/** An option of `run`: a flag has a value, and others are followed by a word that is read. */
type QuickOption =
  | { readonly key: Flag; readonly value: boolean }
  | {
    readonly key: "allocator" | "profile" | "idleTrim" | "memoryLimit";
    readonly read: (word: string) => string | number | null;
  };

function oneOf(choices: readonly string[]): (word: string) => string | null {
  return (word) => choices.includes(word) ? word : null;
}

const ALLOCATOR: QuickOption = { key: "allocator", read: oneOf(["auto", ...ALLOCATOR_NAMES]) };
const PROFILE: QuickOption = { key: "profile", read: oneOf(PROFILE_NAMES) };

const OPTIONS: ReadonlyMap<string, QuickOption> = new Map<string, QuickOption>([
  ["-a", ALLOCATOR],
  ["--allocator", ALLOCATOR],
  ["-p", PROFILE],
  ["--profile", PROFILE],
  ["--secure", { key: "secure", value: true }],
  ["--inherit", { key: "inherit", value: true }],
  ["--no-inherit", { key: "inherit", value: false }],
  ["--no-agent", { key: "agent", value: false }],
  ["--idle-trim", { key: "idleTrim", read: readDuration }],
  ["--memory-limit", { key: "memoryLimit", read: readMemoryLimit }],
  ["--active", { key: "active", value: true }],
]);

const HEAP_PROFILING = "--heap-profiling";

/** The option whose value may be left out; without a `=` the next word might be one, or the command. */
function readHeapProfiling(word: string, next = ""): number | true | null {
  if (word === HEAP_PROFILING) return next.startsWith("-") ? true : null;
  return word.startsWith(`${HEAP_PROFILING}=`)
    ? readInterval(word.slice(HEAP_PROFILING.length + 1))
    : null;
}

/**
 * Reads the words after `run`.
 *
 * @returns `null` for what the full command line has to look at.
 */
export function readRun(words: readonly string[]): RunOptions | null {
  const options: Record<string, string | number | boolean> = {};
  let at = 0;
  for (; words[at]?.startsWith("-") === true; at++) {
    const word = words[at] ?? "";
    if (word === "--") {
      at++;
      break;
    }
    const option = OPTIONS.get(word);
    if (option === undefined) {
      const interval = readHeapProfiling(word, words[at + 1]);
      if (interval === null) return null;
      options.heapProfiling = interval;
      continue;
    }
    if ("value" in option) {
      options[option.key] = option.value;
      continue;
    }
    const value = option.read(words[++at] ?? "");
    if (value === null) return null;
    options[option.key] = value;
  }
  const [name, ...rest] = words.slice(at);
  return name === undefined ? null : { ...options, command: [name, ...rest] };
}

/**
 * Runs the command that the words after `run` name.
 *
 * @returns The exit status where it did not become the command, and has said why; `null` when there
 * are words that it does not know.
 */
export function runQuickly(words: readonly string[]): number | null {
  try {
    const options = readRun(words);
    if (options === null) return null;
    beMainThread();
    keepToStart();
    quietExperimentalWarnings();
    return runCommand(options);
  } catch (error) {
    return failRun(error);
  }
}
