/**
 * Names that the dynamic linker's preload variable can hold.
 *
 * @module
 */
import { lstatSync, readlinkSync, renameSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, isAbsolute, join } from "node:path";
import process from "node:process";
import { sha256 } from "../../ffi/mod.ts";
import { LaunchError, OffheapError } from "../errors.ts";
import { cacheDirectory } from "../library/directories.ts";
import { cacheExposure, effectiveUser } from "../library/ownership.ts";
import { readEnvironment } from "../environment.ts";
import { makeDirectories } from "../system/files.ts";
import { launchPlatform } from "./platforms.ts";

/** Whether the preload variable cannot hold a path as it is. */
export function needsLink(path: string, { unfit } = launchPlatform()): boolean {
  return unfit.test(path);
}

/** What a link's name may not hold. */
const UNSAFE = /[^A-Za-z0-9._-]/g;

const PRIVATE_MODE = 0o700;
const OTHERS_MAY_WRITE = 0o022;

/** A directory that links may be in. */
interface LinkDirectory {
  readonly path: string;
  /** The cache that it belongs to; absent for the temporary directory. */
  readonly cache?: string;
}

function linkDirectories(): LinkDirectory[] {
  const cache = cacheDirectory(readEnvironment(), process.platform);
  const inCache = cache === null ? [] : [{ path: join(cache, "links"), cache }];
  const temporary = { path: join(tmpdir(), `offheap-${effectiveUser() ?? 0}`) };
  return [...inCache, temporary].filter(({ path }) => isAbsolute(path) && !needsLink(path));
}

/** Whoever can write into the directory decides what is preloaded: it must be ours alone. */
function requirePrivate(directory: string): void {
  const status = lstatSync(directory);
  const ours = status.uid === effectiveUser() && (status.mode & OTHERS_MAY_WRITE) === 0;
  if (status.isDirectory() && ours) return;
  throw new LaunchError(
    `Cannot preload by way of "${directory}": it must be a directory that belongs to this user ` +
      "and that no other may write to. Remove it.",
  );
}

/** The directory of links is in the cache: who may rename its entries decides as well. */
function requirePrivateCache(cache: string, directory: string): void {
  const exposure = cacheExposure(cache, dirname(directory));
  if (exposure === null) return;
  throw new LaunchError(
    `Cannot preload by way of "${directory}": ${exposure.why}. ${exposure.remedy}`,
  );
}

/** Does something with a directory; what the system refuses is a refusal of the launch. */
function using(directory: string, use: () => void): void {
  try {
    use();
  } catch (error) {
    if (error instanceof OffheapError) throw error;
    throw new LaunchError(
      `Cannot preload by way of "${directory}": it cannot be used (${
        error instanceof Error ? error.message : error
      }). Set XDG_CACHE_HOME to a directory of this user's own.`,
      125,
      { cause: error },
    );
  }
}

function makeLink(path: string, { path: directory, cache }: LinkDirectory): string {
  using(directory, () => {
    if (cache !== undefined) requirePrivateCache(cache, directory);
    makeDirectories(directory, PRIVATE_MODE);
    requirePrivate(directory);
  });
  const digest = sha256([new TextEncoder().encode(path)]).slice(0, 16);
  const link = join(directory, `${digest}-${basename(path).replace(UNSAFE, "_")}`);
  const fresh = `${link}.${process.pid}`;
  using(directory, () => {
    symlinkSync(path, fresh);
    renameSync(fresh, link);
  });
  if (readlinkSync(link) !== path) {
    throw new LaunchError(
      `Cannot preload "${path}": the link "${link}", which is to lead to it, leads elsewhere. ` +
        "Remove the link.",
    );
  }
  return link;
}

/**
 * A name for a library that the preload variable can hold: its path, or, when that contains what
 * separates names there or would be expanded, a link to it in a private directory, which stays for the program's children.
 *
 * @throws {LaunchError} when no such link can be made.
 */
export function preloadName(path: string): string {
  if (!needsLink(path)) return path;
  const [directory] = linkDirectories();
  if (directory === undefined) {
    const { preloadVariable, unfitNames } = launchPlatform();
    throw new LaunchError(
      `Cannot preload "${path}": ${preloadVariable} cannot hold a path with ${unfitNames}, and ` +
        "this user has neither a cache nor a temporary directory without them. Set XDG_CACHE_HOME " +
        "to the absolute path of one.",
    );
  }
  return makeLink(path, directory);
}
