/**
 * Directories that are made once, each named by what it is made of, and kept while they are used.
 *
 * @module
 */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from "node:fs";
import { join } from "node:path";

/** Where such directories are. */
export interface Store {
  /** The directory that they are in. */
  readonly place: string;
  /** How long one is kept that nothing uses, in milliseconds. */
  readonly kept: number;
}

/**
 * Gives the directory in which `make` has put its files, now or before.
 *
 * @param key Its name; another one for other files.
 * @param make Is given an empty directory.
 */
export function keptDirectory(
  store: Store,
  key: string,
  make: (directory: string) => void,
): string {
  const directory = find(store, key);
  if (existsSync(directory)) return directory;
  const work = begin(store);
  try {
    make(work);
    keep(work, directory);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return directory;
}

/** The same of what takes its time without stopping the process. */
export async function keptDirectoryAsync(
  store: Store,
  key: string,
  make: (directory: string) => Promise<void>,
): Promise<string> {
  const directory = find(store, key);
  if (existsSync(directory)) return directory;
  const work = begin(store);
  try {
    await make(work);
    keep(work, directory);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return directory;
}

/** Where the files are, or will be; those that are there count as used. */
function find({ place }: Store, key: string): string {
  const directory = join(place, key);
  const now = new Date();
  if (existsSync(directory)) utimesSync(directory, now, now);
  return directory;
}

function begin(store: Store): string {
  mkdirSync(store.place, { recursive: true });
  removeOld(store);
  const work = mkdtempSync(join(store.place, ".work-"));
  chmodSync(work, 0o755); // some tests start programs as another user
  return work;
}

function keep(work: string, directory: string): void {
  try {
    renameSync(work, directory);
  } catch (error) {
    // Another process was faster.
    if (!existsSync(directory)) throw error;
  }
}

function removeOld({ place, kept }: Store): void {
  for (const name of readdirSync(place)) {
    const path = join(place, name);
    const used = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Infinity;
    if (Date.now() - used > kept) rmSync(path, { recursive: true, force: true });
  }
}
