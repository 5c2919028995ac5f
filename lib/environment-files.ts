/**
 * Variables of files in the working directory that a runtime has added by itself: who may write there
 * must not choose what is loaded. What the program itself has set is its own affair.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { readsEnvironmentFiles } from "../ffi/mod.ts";
import { knowsStart, startEnvironment } from "./process-start.ts";

const MODES = ["", ".development", ".production", ".test"];

/** Every file that may have been read; which of them were depends on the mode. */
const FILES: readonly string[] = MODES.flatMap((mode) => [`.env${mode}`, `.env${mode}.local`]);

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // A file that this process cannot read now did not give it variables either.
    return null;
  }
}

/** Whether a file of the working directory has the name, in whatever way it is written there. */
function isInFile(name: string): boolean {
  // The program may have gone elsewhere since.
  const directories = new Set([process.cwd(), startEnvironment().variables.PWD ?? ""]);
  const words = [...directories].filter((directory) => directory !== "").flatMap((directory) =>
    FILES.flatMap((file) => readOrNull(join(directory, file))?.split(/[^A-Za-z0-9_]+/) ?? [])
  );
  return words.includes(name);
}

/**
 * What an environment has without such files: a variable of a name that one of them has counts as this
 * process was started with it. Where the runtime adds none, it is what was given.
 */
export function withoutFiles(
  environment: Readonly<Record<string, string | undefined>>,
  names: readonly string[] = Object.keys(environment),
): Readonly<Record<string, string | undefined>> {
  if (!readsEnvironmentFiles() || !knowsStart()) return environment;
  const { variables } = startEnvironment();
  const result: Record<string, string | undefined> = Object.create(null);
  for (const name of names) {
    const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
    result[name] = value === variables[name] || !isInFile(name) ? value : variables[name];
  }
  return result;
}
