/**
 * Environments for child processes: this process's own without what would change them.
 *
 * @module
 */
import { delimiter, dirname } from "node:path";
import process from "node:process";

/** Variables that would change what a runtime or npm does; certificates that a network needs are kept. */
const SETTINGS = /^(npm_|NPM_|NODE_(?!EXTRA_CA_CERTS$)|DENO_|BUN_|OFFHEAP_|LD_PRELOAD$)/;

/**
 * This process's environment without the variables of some names, and with others.
 *
 * @param variables They differ from this process's; `undefined` takes one away.
 */
export function environmentWithout(
  names: RegExp,
  variables: Readonly<Record<string, string | undefined>> = {},
): Record<string, string> {
  const kept = Object.entries(process.env).filter(([name]) => !names.test(name));
  const merged = { ...Object.fromEntries(kept), ...variables };
  return Object.fromEntries(
    Object.entries(merged).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

/** The path without what npm puts in front of it for its scripts. */
export function ownPath(): string[] {
  return (process.env["PATH"] ?? "").split(delimiter)
    .filter((directory) => !directory.includes("node_modules"));
}

/**
 * This process's environment for another one: without what npm set for its script, and with another
 * Node first on the path.
 *
 * @param binary A binary whose directory comes first.
 */
export function cleanEnvironment(
  binary: string,
  variables: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const path = [dirname(binary), ...ownPath()].join(delimiter);
  return environmentWithout(SETTINGS, { PATH: path, NO_COLOR: "1", ...variables });
}
