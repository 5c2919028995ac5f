/**
 * Looking up a command the way `execvp` does.
 *
 * @module
 */
import { accessSync, constants, statSync } from "node:fs";
import { isPermissionRefusal, permissionError } from "../../ffi/errors.ts";
import { LaunchError } from "../errors.ts";
import { isText } from "../exact-text.ts";

/** What the C library searches when PATH is not set. */
const DEFAULT_PATH = "/bin:/usr/bin";

/** Whether a path can be executed: `null` if so, else why not and the status that it means. */
interface Obstacle {
  readonly status: 126 | 127;
  readonly why: string;
  /** A directory on the way may not be searched, so nobody knows whether the file is there. */
  readonly hidden?: true;
}

const MISSING: ReadonlySet<string> = new Set(["ENOENT", "ENOTDIR"]);

/**
 * Finds the file of a command. A name with a slash is a path; another is looked up in PATH, where
 * an empty element is the working directory.
 *
 * @param command The command's name or path.
 * @param path The PATH to search; `undefined` when it is not set.
 * @param cwd The working directory that relative paths start from.
 * @returns The path to execute, relative where `execvp` would use a relative one.
 * @throws {LaunchError} status 127 when it is not found, 126 when it cannot be executed.
 */
export function findCommand(command: string, path: string | undefined, cwd: string): string {
  if (command === "") throw new LaunchError("Cannot run a command: its name is empty.", 127);
  if (command.includes("/")) {
    requireExecutable(command, cwd, `Cannot run "${command}"`);
    return command;
  }
  let denied: { readonly candidate: string; readonly why: string } | null = null;
  for (const directory of (path ?? DEFAULT_PATH).split(":")) {
    const candidate = directory === "" ? command : `${directory.replace(/\/+$/, "")}/${command}`;
    const obstacle = obstacleTo(candidate, cwd);
    if (obstacle === null) return candidate;
    // Like a shell, and unlike execvp, a directory that is closed to this user counts as empty.
    if (obstacle.status === 126 && !obstacle.hidden) denied ??= { candidate, why: obstacle.why };
  }
  if (denied !== null) {
    throw new LaunchError(
      `Cannot run "${command}": "${denied.candidate}" ${denied.why}. ` +
        "Make it executable, or give the path of another file.",
      126,
    );
  }
  throw new LaunchError(
    `Cannot run "${command}": it was not found in PATH (${path ?? `unset: ${DEFAULT_PATH}`}). ` +
      "Install it, or give its path.",
    127,
  );
}

/**
 * Checks that a path can be executed.
 *
 * @param path The path, relative to the working directory or not.
 * @param cwd The working directory.
 * @param cannot How the message begins, such as `Cannot run "x"`.
 * @throws {LaunchError} status 127 when it is not found, 126 when it cannot be executed.
 */
export function requireExecutable(path: string, cwd: string, cannot: string): void {
  const obstacle = obstacleTo(path, cwd);
  if (obstacle === null) return;
  const advice = obstacle.status === 127 ? "Check the path." : "Make it an executable file.";
  throw new LaunchError(`${cannot}: "${path}" ${obstacle.why}. ${advice}`, obstacle.status);
}

/**
 * The file that the system opens by a path when it is in a directory. `..` is left to the system:
 * after a link, or in `/proc/self/cwd`, it leads elsewhere than the text says.
 *
 * @param cwd The directory, absolute.
 * @param path The path, relative to it or not.
 */
export function fromDirectory(cwd: string, path: string): string {
  return path.startsWith("/") ? path : `${cwd === "/" ? "" : cwd}/${path}`;
}

function obstacleTo(path: string, cwd: string): Obstacle | null {
  if (!isText(path)) {
    // Passing it over could find another file of that name further on.
    throw new LaunchError(
      `Cannot check "${path}" before it is run: its path is not UTF-8. ` +
        "Give the path of a link to it that is.",
      126,
    );
  }
  const file = fromDirectory(cwd, path);
  let found = false;
  try {
    const status = statSync(file);
    found = true;
    if (status.isDirectory()) return { status: 126, why: "is a directory" };
    if (!status.isFile()) return { status: 126, why: "is not a regular file" };
    accessSync(file, constants.X_OK);
    return null;
  } catch (error) {
    if (isPermissionRefusal(error)) {
      throw permissionError(`look at "${file}"`, "--allow-read", error);
    }
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    if (MISSING.has(code)) return { status: 127, why: "does not exist" };
    if (code === "EACCES" && found) return { status: 126, why: "is not executable by this user" };
    if (code === "EACCES") return { status: 126, why: "is closed to this user", hidden: true };
    return { status: 126, why: `cannot be examined (${code})` };
  }
}
