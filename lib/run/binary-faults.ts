/**
 * Why a binary's file cannot be opened or read for a launch, whatever its format.
 *
 * @module
 */
import { statSync } from "node:fs";
import { isPermissionRefusal, permissionError } from "../../ffi/errors.ts";
import { LaunchError } from "../errors.ts";
import { errorCode } from "../system/files.ts";

/** Why a library's file could not be opened, by the system's code. */
const LIBRARY_FAULTS: Readonly<Record<string, string>> = {
  ENOENT: "it does not exist. Build it, or give the path of another",
  ENOTDIR: "it does not exist. Build it, or give the path of another",
  EACCES: "this user may not read it. Change its mode, or give the path of another",
  EISDIR: "it is a directory. Give the path of the library in it",
};

function permission(path: string, error: unknown): unknown {
  return isPermissionRefusal(error)
    ? permissionError(`read "${path}"`, "--allow-read", error)
    : error;
}

/** What to throw for a program whose file could not be opened. */
export function openingFault(path: string, file: string, error: unknown): unknown {
  if (errorCode(error) !== "EACCES") return permission(file, error);
  return new LaunchError(
    `Cannot check "${path}" before it is run: this user may execute it but not read it. ` +
      "Give this user the right to read it.",
    125,
    { cause: error },
  );
}

/** What to throw for a library whose file could not be opened. */
export function preloadFault(path: string, error: unknown): unknown {
  const fault = LIBRARY_FAULTS[errorCode(error)];
  if (fault === undefined) return permission(path, error);
  return new LaunchError(`Cannot preload "${path}": ${fault}.`, 125, { cause: error });
}

/**
 * Refuses what is no regular file: opening a named pipe would wait for a writer, perhaps for ever.
 *
 * @throws {LaunchError} for it; errors of the file system come as they are.
 */
export function requireRegularLibrary(path: string): void {
  if (statSync(path).isFile()) return;
  throw new LaunchError(
    `Cannot preload "${path}": it is not a regular file. Give the path of a shared library.`,
  );
}
