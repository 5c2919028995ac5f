/**
 * What is printed about a command that failed. Apart from the full command line, as `run` does not
 * need its packages.
 *
 * @module
 */
import { isPermissionRefusal, permissionError } from "../../ffi/errors.ts";
import type { Permission } from "../../ffi/types.ts";
import { LaunchError, OffheapError, PermissionError } from "../errors.ts";
import { FIGURES, LIBRARIES, withPermissions } from "../permissions.ts";
import { printError } from "./print.ts";

/** The exit status of `run` and `env` for what is refused. */
export const REFUSED = 125;

/** A bad value from the user or the environment; other TypeErrors are defects. */
function isBadInput(error: unknown): error is TypeError | RangeError {
  return error instanceof RangeError ||
    (error instanceof TypeError && /^Cannot .+ must .+; got /s.test(error.message));
}

/** What the system refuses a user can mend: a full disk, a directory of another's. */
function isSystemRefusal(error: unknown): error is Error {
  return error instanceof Error && "syscall" in error && "code" in error &&
    typeof error.code === "string";
}

/** What commands need of a runtime that permits nothing by itself; all others look into `/proc`. */
const NEEDS: Readonly<Record<string, readonly Permission[]>> = {
  env: LIBRARIES,
  verify: LIBRARIES,
};

/** A refusal with the flags of all that the command needs, so that nobody finds them one by one. */
function withEveryFlag(error: PermissionError, command: string): unknown {
  try {
    return withPermissions(NEEDS[command] ?? FIGURES, () => {
      throw error;
    });
  } catch (whole) {
    return whole;
  }
}

/**
 * What a user sees of an error: a sentence where it is ours, the stack where it is a defect.
 *
 * @param command The command of offheap that failed.
 */
export function describe(failure: unknown, command = ""): string {
  let error = isPermissionRefusal(failure)
    ? permissionError(`run "offheap ${command}"`, "--allow-all", failure)
    : failure;
  if (error instanceof PermissionError) error = withEveryFlag(error, command);
  if (error instanceof OffheapError || isBadInput(error)) return error.message;
  if (isSystemRefusal(error)) {
    return `The operating system refused a request: ${error.message}. Check the file that it names, ` +
      "and what this user may do there.";
  }
  return error instanceof Error ? error.stack ?? error.message : String(error);
}

/**
 * Prints why `run` did not become the command.
 *
 * @returns The exit status.
 */
export function failRun(error: unknown): number {
  printError(`offheap: ${describe(error, "run")}\n`);
  return error instanceof LaunchError ? error.status : REFUSED;
}
