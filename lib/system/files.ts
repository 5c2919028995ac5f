/**
 * Reading the small text files of /proc and /sys, and making directories.
 *
 * @module
 */
import { mkdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { isPermissionRefusal, permissionError } from "../../ffi/errors.ts";
import { SystemInfoError } from "../errors.ts";

const ABSENT: ReadonlySet<string> = new Set(["ENOENT", "ENOTDIR"]);

/**
 * Reads all of a text file; `null` when there is no such file.
 *
 * @throws {PermissionError} when the runtime's permissions do not allow it.
 * @throws {SystemInfoError} when the system refuses.
 */
export function readTextIfPresent(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const code = errorCode(error);
    if (ABSENT.has(code)) return null;
    if (isPermissionRefusal(error)) throw permissionError(`read "${path}"`, "--allow-read", error);
    throw new SystemInfoError(
      `Cannot read "${path}": ${code || error}. Check that it is a file which this user may read.`,
      { cause: error },
    );
  }
}

/**
 * Reads a text file of this process's directory in `/proc`.
 *
 * @throws {PermissionError} when the runtime's permissions do not allow it.
 * @throws {SystemInfoError} when there is no `/proc`, or the system refuses.
 */
export function readProcess(name: string): string {
  const path = `/proc/self/${name}`;
  const text = readTextIfPresent(path);
  if (text !== null) return text;
  throw new SystemInfoError(
    `Cannot read "${path}": there is no /proc here. Mount it (mount -t proc proc /proc).`,
  );
}

/** Makes the error for a system file whose contents are not what the kernel documents. */
export function malformed(path: string, wanted: string, got: string): SystemInfoError {
  return new SystemInfoError(
    `Cannot understand "${path}": it must hold ${wanted}; got ${JSON.stringify(got.slice(0, 80))}.`,
  );
}

/**
 * What follows on the line that begins with a text; `null` when there is none. No expression is made
 * for it: metrics are read after a second of rest, when making one takes longer than reading the file.
 */
export function restOfLine(text: string, beginning: string): string | null {
  const start = text.startsWith(beginning) ? 0 : text.indexOf(`\n${beginning}`) + 1;
  if (!text.startsWith(beginning, start)) return null;
  const end = text.indexOf("\n", start);
  return text.slice(start + beginning.length, end < 0 ? text.length : end);
}

/** A figure of a `/proc/PID/status` or `smaps_rollup`, in bytes; `null` when it is not there. */
export function statusBytes(text: string, name: string): number | null {
  const kilobytes = /^\s+(\d+) kB$/.exec(restOfLine(text, `${name}:`) ?? "")?.[1];
  return kilobytes === undefined ? null : Number(kilobytes) * 1024;
}

/** The stable name of a system's error, such as `ENOENT`; empty for any other. */
export function errorCode(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string"
    ? error.code
    : "";
}

/** Where a link points; "" when it is gone, as a closed descriptor's. */
export function linkText(path: string): string {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
    return "";
  }
}

/** What is the same for two paths of one file; `null` when there is none, or none that can be seen. */
export function fileIdentity(path: string): string | null {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return null; // whoever looks for it by this path does not find it either
  }
}

const ANYBODY_MODE = 0o777;

/** Makes one directory, unless it is there; the error where the one that it would be in is not. */
function makeDirectory(path: string, mode: number): Error | null {
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT" && error instanceof Error) return error;
    if (code !== "EEXIST" || !statSync(path).isDirectory()) throw error;
  }
  return null;
}

/**
 * Makes a directory and those that it is in. Node's own way (26.10) never ends where a file system
 * refuses by ENOENT, as /proc does.
 *
 * @throws what the system refuses.
 */
export function makeDirectories(path: string, mode: number = ANYBODY_MODE): void {
  let missing = makeDirectory(path, mode);
  if (missing === null) return;
  const parent = dirname(path);
  if (parent !== path) {
    makeDirectories(parent, mode);
    missing = makeDirectory(path, mode);
  }
  if (missing !== null) throw missing;
}

/**
 * Writes a file. The system names it when it cannot be opened, and here also when its disk is full.
 *
 * @throws What the system says of it.
 */
export function writeNamed(path: string, content: string | Uint8Array): void {
  try {
    writeFileSync(path, content);
  } catch (error) {
    if (error instanceof Error && !error.message.includes(path)) error.message += ` '${path}'`;
    throw error;
  }
}
