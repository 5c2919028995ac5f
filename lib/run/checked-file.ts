/**
 * The files on the way to a program: each is opened once and read by its descriptor, and known again
 * before anything is executed, as its path may lead elsewhere by then.
 *
 * @module
 */
import { closeSync, fstatSync, openSync, statSync } from "node:fs";
import { descriptorSource, type NamedSource } from "../binary/file-source.ts";
import { LaunchError } from "../errors.ts";
import { openingFault } from "./binary-faults.ts";

/** A file that was checked, and what it is known by. */
export interface CheckedFile {
  /** Its path, absolute. */
  readonly path: string;
  /** The number of the device that it is on. */
  readonly device: number;
  /** Its inode number. */
  readonly inode: number;
  /** Its size in bytes. */
  readonly size: number;
  /** Its type and mode bits. */
  readonly mode: number;
  /** Whether it carries capabilities. */
  readonly capabilities: boolean;
  /** Whether it is a program, and no script. */
  readonly program: boolean;
}

/** What the system says of a file, by `stat`'s names: a program's types need not know Node's. */
export interface FileStatus {
  /** The number of the device that it is on. */
  readonly dev: number;
  /** Its inode number. */
  readonly ino: number;
  /** Its size in bytes. */
  readonly size: number;
  /** Its type and mode bits. */
  readonly mode: number;
  /** Its owner. */
  readonly uid: number;
  /** Its group. */
  readonly gid: number;
}

/** A file that is open. */
export interface OpenedFile {
  /** Its path, absolute. */
  readonly file: string;
  /** Its bytes. */
  readonly source: NamedSource;
  /** What the system says of it. */
  readonly stats: FileStatus;
}

/**
 * Runs `use` with an open file.
 *
 * @param path How messages call it.
 * @param file Its path, absolute.
 * @throws {LaunchError} status 125 when this user may not read it.
 */
export function withOpened<R>(path: string, file: string, use: (opened: OpenedFile) => R): R {
  let descriptor: number;
  try {
    descriptor = openSync(file, "r");
  } catch (error) {
    throw openingFault(path, file, error);
  }
  try {
    const stats = fstatSync(descriptor);
    const source = { name: file, source: descriptorSource(descriptor, stats.size) };
    return use({ file, source, stats });
  } finally {
    closeSync(descriptor);
  }
}

/** The first bytes of a file. */
export function readHead({ source }: OpenedFile, length: number): Uint8Array {
  return source.source.read(0, length);
}

function isSame({ device, inode, size, mode }: CheckedFile, stats: FileStatus): boolean {
  return stats.dev === device && stats.ino === inode && stats.size === size && stats.mode === mode;
}

/** The error for a file that is another one by now. */
export function changedError(path: string): LaunchError {
  return new LaunchError(
    `Cannot run "${path}": another file has taken its place while it was checked. Run it again.`,
  );
}

/**
 * Refuses files that are not those which were checked.
 *
 * @throws {LaunchError} status 125 for the first of them.
 */
export function requireUnchanged(files: readonly CheckedFile[]): void {
  for (const file of files) {
    const stats = statSync(file.path, { throwIfNoEntry: false });
    if (stats === undefined || !isSame(file, stats)) throw changedError(file.path);
  }
}
