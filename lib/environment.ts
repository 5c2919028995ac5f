/**
 * Reading the environment, where a runtime may not permit it.
 *
 * @module
 */
import process from "node:process";
import { PermissionError, withPermission } from "../ffi/errors.ts";
import { runsOthersFirst } from "../ffi/mod.ts";
import { withoutFiles } from "./environment-files.ts";
import { SystemInfoError } from "./errors.ts";
import { knowsStart, type StartEnvironment, startEnvironment } from "./process-start.ts";

let isCommand = false;

/**
 * Has what is read from here on be as this process was started: the command, unlike a program, sets no
 * variables itself, and what a runtime loaded before it must not choose its libraries.
 */
export function keepToStart(): void {
  isCommand = true;
}

/** The environment that counts: a command's as it was started, a program's as it is now. */
function current(names?: readonly string[]): Readonly<Record<string, string | undefined>> {
  try {
    if (isCommand && runsOthersFirst() && knowsStart()) return startEnvironment().variables;
  } catch (error) {
    // Without /proc, or the right to read it, nothing shows how it was.
    if (!(error instanceof PermissionError || error instanceof SystemInfoError)) throw error;
  }
  return withoutFiles(process.env, names);
}

/** A variable, and not what is on the prototype: `process.env` inherits as any object does. */
export function ownVariable(
  environment: Readonly<Record<string, string | undefined>>,
  name: string,
): string | undefined {
  return Object.hasOwn(environment, name) ? environment[name] : undefined;
}

/**
 * A variable of the environment; `undefined` when it is unset or empty.
 *
 * @throws {PermissionError} when the runtime does not permit it.
 */
export function readVariable(name: string): string | undefined {
  const value = withPermission(
    `read the environment variable ${name}`,
    "--allow-env",
    () => ownVariable(current([name]), name),
  );
  return value === "" ? undefined : value;
}

/**
 * A copy of the whole environment.
 *
 * @throws {PermissionError} when the runtime does not permit it.
 */
export function readEnvironment(): Record<string, string> {
  return withPermission("read the environment", "--allow-env", () => {
    const copy: Record<string, string> = Object.create(null);
    for (const [name, value] of Object.entries(current())) {
      if (value !== undefined) copy[name] = value;
    }
    return copy;
  });
}

/**
 * The environment that this process was started with. Where the system does not report it, or the runtime
 * does not permit to look (Deno, Node's permission model: neither adds variables), what it has now.
 *
 * @throws {PermissionError} when the runtime does not permit it.
 * @throws {SystemInfoError} when `/proc` cannot be read.
 */
export function startOrCurrentEnvironment(): StartEnvironment {
  try {
    if (knowsStart()) return startEnvironment();
  } catch (error) {
    if (!(error instanceof PermissionError)) throw error;
  }
  const variables = readEnvironment();
  return {
    entries: Object.entries(variables).map(([name, value]) => `${name}=${value}`),
    variables,
  };
}
