/**
 * Debian's archive through apt: archives of source packages, and packages that are unpacked for a
 * while and not installed.
 *
 * @module
 */
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { PrivateApt } from "./apt.ts";
import type { SourceList } from "./apt-sources.ts";
import { DownloadError } from "./download.ts";
import type { DebianArchive } from "../plan/pins.ts";
import { runTool } from "../toolchain/shell.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** What can be had by the machine's apt, in a directory that the caller removes. */
export class DebianSources {
  readonly #directory: string;
  readonly #environment: Environment;
  readonly #signal: AbortSignal | undefined;
  readonly #apts = new Map<string, PrivateApt>();

  /** Makes one that will work in a directory; nothing happens yet. */
  constructor(directory: string, environment: Environment, signal?: AbortSignal) {
    this.#directory = directory;
    this.#environment = environment;
    this.#signal = signal;
  }

  /**
   * Fetches a source package's archive.
   *
   * @returns The archive's path. Its checksum is not checked here.
   * @throws {DownloadError} when it cannot be had.
   */
  async fetch(archive: DebianArchive): Promise<string> {
    const apt = this.#apt({ type: "deb-src", suite: archive.suite });
    const shown = await ask(apt, "apt-cache", ["showsrc", archive.package]);
    const version = versionWith(shown, archive);
    if (version === undefined) {
      throw apt.updateError ?? new DownloadError(
        `the ${archive.suite === undefined ? "system" : `suite ${archive.suite}`}'s package ` +
          `sources offer no "${archive.package}" with the archive ${archive.file}`,
      );
    }
    const downloads = join(this.#directory, archive.file);
    mkdirSync(downloads, { recursive: true });
    await apt.run("apt-get", [
      "source",
      "--download-only",
      "--tar-only",
      "--quiet",
      "--only-source",
      `${archive.package}=${version}`,
    ], downloads);
    return join(downloads, archive.file);
  }

  /**
   * Unpacks a package and what it depends on, of the machine's own suite, into a directory.
   *
   * @param wanted Which of the packages are unpacked.
   * @throws {DownloadError} when they cannot be had.
   */
  async unpack(name: string, wanted: RegExp, directory: string): Promise<void> {
    const apt = this.#apt({ type: "deb" });
    const simulation = ["install", "--simulate", "--no-install-recommends", "--quiet", name];
    const planned = await ask(apt, "apt-get", simulation);
    const names = [...planned.matchAll(/^Inst (\S+)/gm)].map(([, found = ""]) => found)
      .filter((found) => wanted.test(found));
    if (names.length === 0) throw new DownloadError(`apt plans no "${name}"`);
    const downloads = join(this.#directory, `${name}-packages`);
    for (const made of [downloads, directory]) mkdirSync(made, { recursive: true });
    await apt.run("apt-get", ["download", "--quiet", ...names], downloads);
    for (const file of readdirSync(downloads)) {
      await runTool(["dpkg-deb", "-x", join(downloads, file), directory], {
        cwd: downloads,
        environment: this.#environment,
        signal: this.#signal,
        action: `unpack Debian's ${file}`,
      });
    }
  }

  /** Lists are fetched once for each kind. */
  #apt(list: SourceList): PrivateApt {
    const key = `${list.type}-${list.suite ?? "own"}`;
    const found = this.#apts.get(key) ??
      new PrivateApt(join(this.#directory, key), list, this.#environment, this.#signal);
    this.#apts.set(key, found);
    return found;
  }
}

/** What a program of apt's says of the lists; when it fails and they did not come, that is why. */
async function ask(apt: PrivateApt, program: string, args: readonly string[]): Promise<string> {
  try {
    return await apt.run(program, args);
  } catch (error) {
    throw apt.updateError ?? error;
  }
}

/** The version of a source package that has this very archive. */
function versionWith(shown: string, archive: DebianArchive): string | undefined {
  const stanza = shown.split(/\n\s*\n/).find((text) =>
    text.includes(archive.sha256) && text.includes(archive.file)
  );
  return stanza === undefined ? undefined : /^Version:\s*(\S+)/m.exec(stanza)?.[1];
}
