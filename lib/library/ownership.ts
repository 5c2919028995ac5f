/**
 * Who may write to the user's cache. What is there gets loaded into processes, so it has to be in
 * the hands of this user, or of root, alone. Windows gives a user's own directories such access
 * lists by itself, and has no modes: nothing is looked at there.
 *
 * @module
 */
import { lstatSync, type Stats, statSync } from "node:fs";
import { dirname, join, parse, relative, resolve, sep } from "node:path";
import process from "node:process";
import { withPermission } from "../../ffi/errors.ts";

/** How others can alter what must be this user's alone. */
export interface Exposure {
  /** What is wrong, as a clause. */
  readonly why: string;
  /** What to do about it, as a sentence. */
  readonly remedy: string;
}

const ROOT_USER = 0;
const GROUP_OR_OTHERS_MAY_WRITE = 0o022;
const OTHERS_MAY_WRITE = 0o002;
/** In a directory with this bit only owners remove and rename what is theirs, as in /tmp. */
const STICKY = 0o1000;

/**
 * The user whose rights this process has; `null` on Windows.
 *
 * @throws {PermissionError} when the runtime does not permit to ask.
 */
export function effectiveUser(): number | null {
  if (process.platform === "win32") return null;
  return withPermission(
    "determine whether the cache is this user's own",
    "--allow-sys=uid",
    () => process.geteuid?.() ?? null,
  );
}

function lookAt(look: (path: string) => Stats, path: string): Stats | null {
  try {
    return look(path);
  } catch (error) {
    // What is not there is nobody's.
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}

/** Who may own a path, besides root, and what others must not be allowed there. */
interface Rule {
  readonly user: number;
  readonly forbidden: number;
  /** Whom root shows as. */
  readonly root?: number;
}

function exposureOf(path: string, status: Stats, rule: Rule): Exposure | null {
  const { user, forbidden, root = ROOT_USER } = rule;
  if (![user, root, ROOT_USER].includes(status.uid)) {
    return {
      why:
        `"${path}" belongs to user ${status.uid}, and this process has the rights of user ${user}`,
      remedy: "Run it as that user, or name a cache of its own with XDG_CACHE_HOME, or with HOME " +
        '(as "sudo -H" does).',
    };
  }
  if ((status.mode & forbidden) === 0) return null;
  const mode = (status.mode & 0o7777).toString(8).padStart(4, "0");
  return {
    why: `users other than its owner may write to "${path}" (mode ${mode})`,
    remedy:
      `If nobody else has written there, repair it: chmod go-w "${path}". Otherwise remove it ` +
      "and build again.",
  };
}

/** A link counts as well as what it leads to: whoever owns it may point it elsewhere. */
function entryExposure(path: string, rule: Rule): Exposure | null {
  const entry = lookAt(lstatSync, path);
  if (entry === null) return null;
  if (!entry.isSymbolicLink()) return modeExposure(path, entry, rule);
  const linked = lookAt(statSync, path);
  return exposureOf(path, entry, { ...rule, forbidden: 0 }) ??
    (linked === null ? null : modeExposure(path, linked, rule));
}

function modeExposure(path: string, status: Stats, rule: Rule): Exposure | null {
  const protectedByOwner = status.isDirectory() && (status.mode & STICKY) !== 0;
  return exposureOf(path, status, protectedByOwner ? { ...rule, forbidden: 0 } : rule);
}

/**
 * How others can put another directory in the place of this one, or of one above it. A group may
 * write to them: where each user has a group of their own, that is the default.
 */
function exposureAbove(directory: string, user: number): Exposure | null {
  const rule = { user, forbidden: OTHERS_MAY_WRITE };
  const lowest = entryExposure(directory, rule);
  if (lowest !== null) return lowest;
  // In a user namespace without the machine's root, what is root's shows another number.
  const root = statSync(parse(directory).root).uid;
  let path = directory;
  while (path !== dirname(path)) {
    path = dirname(path);
    const exposure = entryExposure(path, { ...rule, root });
    if (exposure === null) continue;
    const remedy =
      "Have its owner or mode repaired, or set XDG_CACHE_HOME to a directory elsewhere.";
    return { why: exposure.why, remedy };
  }
  return null;
}

/**
 * How others can alter a directory of the cache, or one of those above it up to the cache, or put
 * another in the place of one of those above the cache; `null` when they cannot.
 *
 * @param cache The cache, such as `~/.cache/offheap`.
 * @param directory A directory in it; what is not there yet is passed over.
 * @throws {PermissionError} when the runtime does not permit to look.
 */
export function cacheExposure(cache: string, directory: string): Exposure | null {
  const user = effectiveUser();
  if (user === null) return null;
  const above = exposureAbove(dirname(resolve(cache)), user);
  if (above !== null) return above;
  let path = cache;
  for (const name of ["", ...relative(cache, directory).split(sep)]) {
    path = join(path, name);
    const exposure = entryExposure(path, { user, forbidden: GROUP_OR_OTHERS_MAY_WRITE });
    if (exposure !== null) return exposure;
  }
  return null;
}

/** How others can alter a file; `null` when they cannot, or when there is no such file. */
export function fileExposure(path: string): Exposure | null {
  const user = effectiveUser();
  return user === null ? null : entryExposure(path, { user, forbidden: GROUP_OR_OTHERS_MAY_WRITE });
}

/** Whether a directory is the cache or inside it. */
export function isWithin(cache: string, directory: string): boolean {
  const path = relative(cache, directory);
  return path !== ".." && !path.startsWith(`..${sep}`) && path !== directory;
}
