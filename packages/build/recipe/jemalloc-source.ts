/**
 * jemalloc's source, completed: a tag's tree lacks what a release's archive has, `configure` and
 * the file `VERSION`.
 *
 * @module
 */
import { randomUUID } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { BuildError } from "../../../lib/errors.ts";
import { runAutoconf } from "./autoconf.ts";
import { DownloadError } from "../store/download.ts";
import { makePrivateDirectory } from "../store/output.ts";
import type { Source, SourceContext } from "../types.ts";
import { unpack } from "../store/unpack.ts";

/** What jemalloc's version has in place of a commit that is not known. */
const NO_COMMIT = "0".repeat(40);

const EXECUTABLE = 0o755;

/**
 * The source with all that a release's archive has; as it is when that is so already.
 *
 * @throws {DownloadError} when a pinned source needs autoconf, which is missing.
 * @throws {BuildError} when a source that the caller named does.
 */
export async function completeJemalloc(source: Source, context: SourceContext): Promise<Source> {
  const directory = await unpack(
    source.path,
    join(context.temporary, `jemalloc-${randomUUID()}`),
    context.environment,
    context.signal,
  );
  const unpacked = { ...source, path: directory };
  if (existsSync(join(directory, "configure"))) return unpacked;
  // What is no source of jemalloc's is refused later.
  if (!existsSync(join(directory, "configure.ac"))) return unpacked;
  writeVersion(directory, source);
  const how = source.origin === "option"
    ? await configureGiven(directory, source, context)
    : await configurePinned(directory, source, context);
  return { ...unpacked, reason: `${source.reason} (configure: ${how})` };
}

/** In the form that `mallctl("version")` answers. */
function writeVersion(directory: string, { version, commit = NO_COMMIT }: Source): void {
  const file = join(directory, "VERSION");
  if (existsSync(file)) return;
  const found = version === "" ? newestChange(directory) : version;
  if (found !== undefined) writeFileSync(file, `${found}-0-g${commit}\n`);
}

/** The version at the head of the list of changes. */
function newestChange(directory: string): string | undefined {
  const file = join(directory, "ChangeLog");
  return existsSync(file)
    ? /^\* (\d+\.\d+\.\d+) /m.exec(readFileSync(file, "utf8"))?.[1]
    : undefined;
}

async function configureGiven(
  directory: string,
  source: Source,
  context: SourceContext,
): Promise<string> {
  try {
    return await runAutoconf(directory, context);
  } catch (error) {
    if (!(error instanceof DownloadError)) throw error;
    throw new BuildError(
      `Cannot build jemalloc ${source.reason}: ${error.message}. ` +
        'Run "autoconf" there, or take a release archive.',
      { cause: error },
    );
  }
}

/** Keeps what was made beside the archive: a later build may have neither autoconf nor a network. */
async function configurePinned(
  directory: string,
  source: Source,
  context: SourceContext,
): Promise<string> {
  const kept = join(context.sources, `${source.name}.configure`);
  const made = join(directory, "configure");
  if (existsSync(kept)) {
    copyFileSync(kept, made);
    chmodSync(made, EXECUTABLE);
    return "made before, from the cache";
  }
  const how = await runAutoconf(directory, context);
  makePrivateDirectory(context.cache, context.sources);
  const part = `${kept}.${randomUUID()}.part`;
  copyFileSync(made, part);
  renameSync(part, kept);
  return how;
}
