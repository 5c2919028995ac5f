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

/** Options without a value, by their short and long names. */
const FLAGS: Readonly<Record<string, "clear" | "nothing" | "print">> = {
  "i": "clear",
  "0": "nothing",
  "v": "nothing",
  "--ignore-environment": "clear",
  "--null": "nothing",
  "--debug": "nothing",
  "--block-signal": "nothing",
  "--default-signal": "nothing",
  "--ignore-signal": "nothing",
  "--list-signal-handling": "nothing",
  "--help": "print",
  "--version": "print",
};

/** Options with a value, by their short and long names. */
const VALUED: Readonly<Record<string, "unset" | "directory" | "split" | "nothing">> = {
  "u": "unset",
  "C": "directory",
  "S": "split",
  "a": "nothing",
  "--unset": "unset",
  "--chdir": "directory",
  "--split-string": "split",
  "--argv0": "nothing",
  "--block-signal": "nothing",
  "--default-signal": "nothing",
  "--ignore-signal": "nothing",
};

/**
 * Reads the arguments of `env`, those of `-S` included.
 *
 * @param args The arguments, without `env` itself.
 * @param environment The environment that `env` runs in.
 * @param unknown Variables whose values are not those of `environment` when `env` runs.
 * @throws {LaunchError} status 125 when an option or quoting is not understood.
 */
export function parseEnvCommand(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  unknown: ReadonlySet<string> = new Set(),
): EnvCommand {
  const rest = [...args];
  const unset: string[] = [];
  let cleared = false;
  let prints = false;
  let directory: string | null = null;
  const apply = (action: string, value: string): void => {
    if (action === "unset") unset.push(value);
    else if (action === "directory") directory = value;
    else if (action === "split") rest.unshift(...splitString(value, environment, unknown));
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
        prints ||= FLAGS[name] === "print";
      } else if (VALUED[name] !== undefined) apply(VALUED[name], requireValue(word, rest.shift()));
      else throw refused(`the unknown option "${word}"`);
    } else {
      for (let index = 1; index < word.length; index++) {
        const letter = word.charAt(index);
        const action = VALUED[letter];
        if (action !== undefined) {
          apply(action, word.slice(index + 1) || requireValue(word, rest.shift()));
          break;
        }
        if (FLAGS[letter] === undefined) throw refused(`the unknown option "${word}"`);
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
    command: prints ? null : command ?? null,
    args: commandArgs,
    environment: result,
    directory,
    dropped: cleared ? "all" : unset,
    assigned,
  };
}

const ESCAPES: Readonly<Record<string, string>> = {
  "f": "\f",
  "n": "\n",
  "r": "\r",
  "t": "\t",
  "v": "\v",
  "_": " ",
  "#": "#",
  "$": "$",
  '"': '"',
  "'": "'",
  "\\": "\\",
};

/** What parts words; a blank of another script does not. */
const BLANK = /[ \t\n\v\f\r]/;

/**
 * Splits the string of `env -S` into words: blanks part them, quotes and backslashes keep them
 * together, `#` at the start of a word ends all, `${NAME}` is replaced by a variable.
 *
 * @param unknown Variables whose values are not those of `environment`.
 * @throws {LaunchError} status 125 when a quote is open, an escape is unknown, or one of these
 * variables is asked for.
 */
export function splitString(
  text: string,
  environment: Readonly<Record<string, string | undefined>>,
  unknown: ReadonlySet<string> = new Set(),
): string[] {
  const words: string[] = [];
  let word: string | null = null;
  let quote = "";
  for (let index = 0; index < text.length; index++) {
    const letter = text.charAt(index);
    if (letter === "\\") {
      const next = text.charAt(++index);
      if (quote === "'") word = `${word ?? ""}${next === "'" || next === "\\" ? "" : "\\"}${next}`;
      else if (next === "c" && quote === "") break;
      else if (next === "_" && quote === "") {
        if (word !== null) words.push(word);
        word = null;
      } else if (ESCAPES[next] === undefined) throw refused(`the unknown escape "\\${next}" in -S`);
      else word = `${word ?? ""}${ESCAPES[next]}`;
    } else if (quote !== "" && letter === quote) quote = "";
    else if (quote === "" && (letter === "'" || letter === '"')) {
      quote = letter;
      word ??= "";
    } else if (quote === "" && BLANK.test(letter)) {
      if (word !== null) words.push(word);
      word = null;
    } else if (letter === "#" && word === null) break;
    else if (letter === "$" && quote !== "'") {
      const match = /^\$\{([A-Za-z_][A-Za-z0-9_]*)\}/.exec(text.slice(index));
      const name = match?.[1];
      if (match === null || name === undefined) throw refused('a "$" in -S that is not ${NAME}');
      if (unknown.has(name)) throw refused(`"\${${name}}" in -S, which the launch sets`);
      // A variable that is not set is no word by itself, unlike an empty one.
      const value = environment[name];
      if (value !== undefined) word = `${word ?? ""}${value}`;
      index += match[0].length - 1;
    } else word = `${word ?? ""}${letter}`;
  }
  if (quote !== "") throw refused(`an open quote ${quote} in -S`);
  if (word !== null) words.push(word);
  return words;
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
