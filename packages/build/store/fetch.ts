/**
 * Getting an allocator's source: from the cache, from upstream, from Debian, or from where the
 * caller says.
 *
 * @module
 */
import { randomUUID } from "node:crypto";
import { copyFileSync, existsSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { BuildError } from "../../../lib/errors.ts";
import { download, DownloadError } from "./download.ts";
import { hashDirectory, sha256File } from "./hashes.ts";
import { makePrivateDirectory, requirePrivate } from "./output.ts";
import type { Pin } from "../plan/pins.ts";
import type { Recipe, Source, SourceContext } from "../types.ts";

/** `null` when a way has nothing to offer, a {@linkcode DownloadError} when it led nowhere. */
type Way = (pin: Pin, context: SourceContext) => Promise<Source | null>;

/** In the order in which they are tried. */
const WAYS: readonly Way[] = [fromCache, fromUpstream, fromDebian];

/**
 * Gets the first pinned source that can be had.
 *
 * @param prepare What is done with a source before it counts as had.
 * @throws {BuildError} when none can, with all that was tried, or when an archive's checksum is
 * wrong.
 */
export async function fetchPinned(
  pins: readonly Pin[],
  context: SourceContext,
  prepare?: Recipe["prepare"],
): Promise<Source> {
  const failures: string[] = [];
  for (const pin of pins) {
    for (const way of WAYS) {
      context.signal?.throwIfAborted();
      try {
        const found = await way(pin, context);
        if (found === null) continue;
        const source = await prepare?.(found, context) ?? found;
        const before = failures.length === 0 ? "" : `; before it: ${failures.join("; ")}`;
        return { ...source, reason: `${source.reason}${before}` };
      } catch (error) {
        if (!(error instanceof DownloadError)) throw error;
        failures.push(`${pin.version}: ${error.message}`);
      }
    }
  }
  const name = pins[0]?.allocator ?? "the allocator";
  throw new BuildError(
    `Cannot get the source of ${name} ${pins.map((pin) => pin.version).join(" or ")}: ` +
      `${failures.join("; ")}. Connect this machine to the network, put the archive into ` +
      `"${context.sources}", or pass it with --source.`,
  );
}

async function fromCache(pin: Pin, context: SourceContext): Promise<Source | null> {
  requirePrivate(context.cache, context.sources);
  for (const archive of [pin.upstream, pin.debian]) {
    if (archive === undefined) continue;
    const path = join(context.sources, archive.file);
    if (!existsSync(path)) continue;
    checkArchive(path, archive.sha256);
    return await Promise.resolve(sourceOf(pin, "cache", path, archive.sha256, "from the cache"));
  }
  return null;
}

async function fromUpstream(pin: Pin, context: SourceContext): Promise<Source | null> {
  const archive = pin.upstream;
  if (archive === undefined) return null;
  const url = context.upstream === undefined
    ? archive.url
    : `${context.upstream.replace(/\/+$/, "")}/${archive.file}`;
  const path = await keep(context, archive, (part) => download(url, part, context.signal));
  return sourceOf(pin, "upstream", path, archive.sha256, `from ${url}`);
}

async function fromDebian(pin: Pin, context: SourceContext): Promise<Source | null> {
  const archive = pin.debian;
  if (archive === undefined) return null;
  if (context.debian === null) {
    throw new DownloadError("Debian's source packages are left out, as asked");
  }
  const { debian } = context;
  const path = await keep(context, archive, async (part) => {
    copyFileSync(await debian.fetch(archive), part);
  });
  const suite = archive.suite === undefined ? "" : ` of the suite ${archive.suite}`;
  const reason = `from Debian's source package "${archive.package}"${suite}`;
  return sourceOf(pin, "debian", path, archive.sha256, reason);
}

function sourceOf(pin: Pin, origin: string, path: string, hash: string, reason: string): Source {
  const { version, commit } = pin;
  const name = basename(path);
  return { version, commit, origin, path, name, sha256: hash, identity: hash, reason };
}

/** Fetches into the cache, complete and checked, or not at all. */
async function keep(
  context: SourceContext,
  archive: { readonly file: string; readonly sha256: string },
  fetchTo: (path: string) => Promise<void>,
): Promise<string> {
  makePrivateDirectory(context.cache, context.sources);
  const part = join(context.temporary, `${randomUUID()}.part`);
  const path = join(context.sources, archive.file);
  try {
    await fetchTo(part);
    checkArchive(part, archive.sha256, archive.file);
    const beside = `${path}.${randomUUID()}.part`;
    copyFileSync(part, beside);
    renameSync(beside, path);
  } finally {
    rmSync(part, { force: true });
  }
  return path;
}

/**
 * Asserts an archive's checksum; removes the file when it is wrong.
 *
 * @throws {BuildError} naming both hashes.
 */
function checkArchive(path: string, expected: string, name: string = path): void {
  const actual = sha256File(path);
  if (actual === expected) return;
  rmSync(path, { force: true });
  throw new BuildError(
    `Cannot use the source archive "${name}": its sha256 is ${actual}, but ${expected} is pinned. ` +
      "The file was removed; run the build again to fetch it again.",
  );
}

/**
 * Takes a source that the caller names: a directory, an archive, or a URL of one. Its version is
 * read from it after unpacking.
 *
 * @throws {BuildError} when it cannot be read or fetched.
 */
export async function fetchGiven(given: string, context: SourceContext): Promise<Source> {
  if (/^(https?|file):/.test(given)) {
    const name = basename(new URL(given).pathname);
    const path = join(context.temporary, name === "" ? "source" : name);
    try {
      await download(given, path, context.signal);
    } catch (error) {
      if (!(error instanceof DownloadError)) throw error;
      throw new BuildError(`Cannot use --source: ${error.message}.`, { cause: error });
    }
    return givenSource(path, given, sha256File(path));
  }
  const path = resolve(given);
  try {
    const isDirectory = statSync(path).isDirectory();
    const hash = isDirectory ? hashDirectory(path) : sha256File(path);
    return { ...givenSource(path, given, hash), sha256: isDirectory ? null : hash };
  } catch (error) {
    const code = error instanceof Error ? Reflect.get(error, "code") : undefined;
    throw new BuildError(
      `Cannot use --source "${given}": it must be a directory, an archive or a URL that can be ` +
        `read${code === undefined ? "" : ` (${code})`}.`,
      { cause: error },
    );
  }
}

function givenSource(path: string, given: string, hash: string): Source {
  return {
    version: "",
    origin: "option",
    name: basename(path),
    sha256: hash,
    path,
    identity: hash,
    reason: `from --source ${given}`,
  };
}
