/**
 * What `env` goes on to run.
 *
 * @module
 */
import { LaunchError } from "../errors.ts";

/** What `env` makes of its arguments. */
export interface EnvCommand {
  /** The command, or `null` when `env` would only print the environment. */
  readonly command: string | null;
  /** The command's arguments. */
  readonly args: readonly string[];
  /** The environment that the command gets. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The working directory that the command gets. */
  readonly directory: string | null;
  /** Whether variables that were there are dropped: all of them, or these. */
  readonly dropped: "all" | readonly string[];
  /** The variables that are set. */
  readonly assigned: readonly string[];
}

/** Options without a value, by their short and long names. The rare ones are refused. */
const FLAGS: Readonly<Record<string, "clear" | "nothing">> = {
  "i": "clear",
  "0": "nothing",
  "v": "nothing",
  "--ignore-environment": "clear",
  "--null": "nothing",
  "--debug": "nothing",
};

/** Options with a value, by their short and long names. */
const VALUED: Readonly<Record<string, "unset" | "directory" | "split">> = {
  "u": "unset",
  "C": "directory",
  "S": "split",
  "--unset": "unset",
  "--chdir": "directory",
  "--split-string": "split",
};

/**
 * Reads the arguments of `env`, those of `-S` included.
 *
 * @param args The arguments, without `env` itself.
 * @param environment The environment that `env` runs in.
 * @throws {LaunchError} status 125 when an option or quoting is not understood.
 */
export function parseEnvCommand(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): EnvCommand {
  const rest = [...args];
  const unset: string[] = [];
  let cleared = false;
  let directory: string | null = null;
  const apply = (action: string, value: string): void => {
    if (action === "unset") unset.push(value);
    else if (action === "directory") directory = value;
    else if (action === "split") rest.unshift(...splitString(value));
  };
  for (let word = rest[0]; word?.startsWith("-"); word = rest[0]) {
    rest.shift();
    if (word === "--") break;
    if (word === "-") cleared = true;
    else if (word.startsWith("--")) {
      const [name = "", value] = splitOnce(word, "=");
      const action = value === undefined ? undefined : VALUED[name];
      if (action !== undefined && value !== undefined) apply(action, value);
      else if (FLAGS[name] !== undefined && value === undefined) {
        cleared ||= FLAGS[name] === "clear";
      } else if (VALUED[name] !== undefined) apply(VALUED[name], requireValue(word, rest.shift()));
      else throw refused(`the option "${word}", which offheap does not follow`);
    } else {
      for (let index = 1; index < word.length; index++) {
        const letter = word.charAt(index);
        const action = VALUED[letter];
        if (action !== undefined) {
          apply(action, word.slice(index + 1) || requireValue(word, rest.shift()));
          break;
        }
        if (FLAGS[letter] === undefined) {
          throw refused(`the option "${word}", which offheap does not follow`);
        }
        cleared ||= FLAGS[letter] === "clear";
      }
    }
  }
  const result: Record<string, string | undefined> = cleared ? {} : { ...environment };
  for (const name of unset) delete result[name];
  const assigned: string[] = [];
  for (let word = rest[0]; word?.includes("="); word = rest[0]) {
    const [name = "", value] = splitOnce(word, "=");
    result[name] = value;
    assigned.push(name);
    rest.shift();
  }
  const [command, ...commandArgs] = rest;
  return {
    command: command ?? null,
    args: commandArgs,
    environment: result,
    directory,
    dropped: cleared ? "all" : unset,
    assigned,
  };
}

/** What parts words; a blank of another script does not. */
const BLANK = String.raw`[ \t\n\v\f\r]`;
/** Escapes, variables and comments: rare, and refused. */
const RARE = new RegExp(String.raw`[\\$]|(?<=^|${BLANK})#`);
const WORD = new RegExp(`(?:(?!${BLANK})[^'"]|'[^']*'|"[^"]*")+`, "g");

/**
 * Splits the string of `env -S` into words: blanks part them, quotes keep them together.
 *
 * @throws {LaunchError} status 125 when a quote is open, or there are escapes, variables or comments.
 */
export function splitString(text: string): string[] {
  const rare = RARE.exec(text);
  if (rare !== null) throw refused(`"${rare[0]}" in -S, which offheap does not follow`);
  const open = /['"]/.exec(text.replace(WORD, ""));
  if (open !== null) throw refused(`an open quote ${open[0]} in -S`);
  return (text.match(WORD) ?? []).map((word) => word.replace(/'([^']*)'|"([^"]*)"/g, "$1$2"));
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function requireValue(option: string, value: string | undefined): string {
  if (value === undefined) throw refused(`the option "${option}" without a value`);
  return value;
}

function refused(what: string): LaunchError {
  return new LaunchError(
    `Cannot determine what "env" would run: its arguments hold ${what}. Run the program directly instead.`,
  );
}
