/**
 * What the command line begins with: it refuses what cannot run it, and loads the command.
 *
 * @module
 */
import process from "node:process";
import { isPermissionRefusal, PermissionError, permissionError } from "../../ffi/errors.ts";
import { missingFlags } from "../../ffi/mod.ts";
import { nodeRefusal } from "../../ffi/node-floor.ts";
import { useCompileCache } from "./compile-cache.ts";
import { isForShell, SHELL_REFUSAL } from "./shell-refusal.ts";
import { LIBRARIES } from "../permissions.ts";

/** Starts the command line, which sets the exit status. */
export async function start(): Promise<void> {
  const refusal = nodeRefusal("run offheap");
  process.exitCode = refusal !== null
    ? refuse(refusal.message)
    : await runCommandLine().catch(refuseUnpermitted);
}

/**
 * The command line is loaded only where it can run: an old Node cannot even link it. What `run`
 * needs is loaded without the rest. The npm package has a file for each of the two, so that nothing
 * of what they keep may be needed here.
 */
async function runCommandLine(): Promise<number> {
  const args = process.argv.slice(2);
  const [command, ...words] = args;
  if (command === "run") {
    useCompileCache();
    const status = (await import("./quick-run.ts")).runQuickly(words);
    if (status !== null) return status;
  }
  let main;
  try {
    ({ main } = await import("./main.ts"));
  } catch (error) {
    const missing = missingPackage(error);
    if (missing === null) throw error;
    return refuse(
      `Cannot start: the package ${missing} is not installed beside offheap. Install what it needs ` +
        '("npm install" in the program, "npm ci" in a checkout).',
    );
  }
  return await main(args);
}

/** The package that a runtime has not found, by its message; `null` for another error. */
function missingPackage(error: unknown): string | null {
  const found = error instanceof Error
    ? /^(?:Cannot find|Could not find|Import) (?:package |module )?("[^"/.]+"|'[^'/.]+')/
      .exec(error.message)
    : null;
  return found?.[1] ?? null;
}

/** In the npm package Node reads the command's first file by itself under its permission model. */
function refuseUnpermitted(error: unknown): number {
  if (!isPermissionRefusal(error)) throw error;
  const { action, flags } = permissionError("load the command", "--allow-fs-read", error);
  return refuse(new PermissionError(action, [...flags, ...missingFlags(LIBRARIES)]).message);
}

/** Exits as a failed command, or as `run` and `env` do when there is nothing to launch. */
function refuse(message: string): number {
  process.stderr.write(`offheap: ${message}\n`);
  const [command = "", ...options] = process.argv.slice(2);
  if (command === "env" && isForShell(options)) process.stdout.write(`${SHELL_REFUSAL}\n`);
  return ["run", "env"].includes(command) ? 125 : 1;
}
