/**
 * Debian's source packages through apt, with lists and state of our own: nothing of the machine's
 * apt is changed, and root is not needed.
 *
 * @module
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DownloadError } from "./download.ts";
import type { DebianArchive } from "./pins.ts";
import { findProgram, runTool } from "./shell.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const NETWORK_SECONDS = 5;
const UPDATE_SECONDS = 120;

/** One apt with a directory of its own, which the caller removes. */
export class DebianSources {
  readonly #directory: string;
  readonly #environment: Environment;
  readonly #signal: AbortSignal | undefined;
  #ready: Promise<string> | undefined;
  #updateError: DownloadError | undefined;

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
    this.#ready ??= this.#prepare();
    const configuration = await this.#ready;
    const version = versionWith(await this.#show(configuration, archive), archive);
    if (version === undefined) {
      throw this.#updateError ?? new DownloadError(
        `the system's package sources offer no "${archive.package}" with the archive ` +
          `${archive.file}`,
      );
    }
    const downloads = join(this.#directory, archive.package);
    mkdirSync(downloads, { recursive: true });
    await this.#run([
      "apt-get",
      `-c=${configuration}`,
      "source",
      "--download-only",
      "--tar-only",
      "--quiet",
      "--only-source",
      `${archive.package}=${version}`,
    ], downloads);
    return join(downloads, archive.file);
  }

  async #show(configuration: string, archive: DebianArchive): Promise<string> {
    try {
      return await this.#run(["apt-cache", `-c=${configuration}`, "showsrc", archive.package]);
    } catch (error) {
      throw this.#updateError ?? error;
    }
  }

  async #prepare(): Promise<string> {
    if ((await findProgram("apt-get", this.#environment)) === null) {
      throw new DownloadError("this system has no apt-get");
    }
    const shown = await this.#run([
      "apt-config",
      "shell",
      "MAIN",
      "Dir::Etc::sourcelist/f",
      "PARTS",
      "Dir::Etc::sourceparts/d",
    ]);
    const parts = join(this.#directory, "sources.list.d");
    for (const name of ["sources.list.d", "lists/partial", "cache/archives/partial"]) {
      mkdirSync(join(this.#directory, name), { recursive: true });
    }
    const files = sourceFiles(shown);
    for (const [index, file] of files.entries()) {
      const deb822 = file.endsWith(".sources");
      const text = readFileSync(file, "utf8");
      writeFileSync(
        join(parts, `${index}.${deb822 ? "sources" : "list"}`),
        deb822 ? deriveDeb822(text) : deriveList(text),
      );
    }
    const configuration = join(this.#directory, "apt.conf");
    writeFileSync(configuration, aptConfiguration(this.#directory, parts));
    // A repository without sources makes the update fail; what counts is what is known after it.
    try {
      await this.#run(["apt-get", `-c=${configuration}`, "update", "--quiet"]);
    } catch (error) {
      this.#signal?.throwIfAborted();
      if (!(error instanceof DownloadError)) throw error;
      this.#updateError = error;
    }
    return configuration;
  }

  async #run(command: readonly string[], cwd = this.#directory): Promise<string> {
    try {
      return await runTool(command, {
        cwd,
        // apt and its keys' checks have temporary files, too.
        environment: { ...this.#environment, TMPDIR: this.#directory },
        signal: this.#signal,
        action: "ask apt",
        timeoutSeconds: UPDATE_SECONDS,
      });
    } catch (error) {
      this.#signal?.throwIfAborted();
      const message = error instanceof Error ? error.message : String(error);
      const lines = message.split("\n").filter((text) => /^\s*[EW]: /.test(text));
      const line = lines.find((text) => /Failed to fetch|Could not/.test(text)) ?? lines.at(-1);
      throw new DownloadError(
        `apt could not fetch it (${line?.trim() ?? message.split("\n")[0]})`,
        { cause: error },
      );
    }
  }
}

/** The files that list the system's package sources, by apt-config's answer. */
function sourceFiles(shown: string): string[] {
  const value = (name: string): string =>
    new RegExp(`^${name}='(.*)'$`, "m").exec(shown)?.[1] ?? "";
  const parts = value("PARTS");
  const names = existsSync(parts) ? readdirSync(parts).sort() : [];
  return [
    value("MAIN"),
    ...names.filter((name) => /\.(list|sources)$/.test(name)).map((name) => join(parts, name)),
  ].filter((file) => existsSync(file));
}

/** The one-line format: each `deb` becomes a `deb-src`. */
export function deriveList(text: string): string {
  const lines = text.split("\n").map((line) => line.trim());
  const derived = lines
    .filter((line) => /^deb(-src)?\s/.test(line) && !line.includes("cdrom:"))
    .map((line) => line.replace(/^deb(-src)?\s/, "deb-src "));
  return [...new Set(derived)].map((line) => `${line}\n`).join("");
}

/** The deb822 format: every stanza's `Types` becomes `deb-src`. */
export function deriveDeb822(text: string): string {
  const stanzas = text.split("\n").filter((line) => !line.startsWith("#")).join("\n").split(
    /\n\s*\n/,
  );
  return stanzas
    .filter((stanza) => /^Types:/mi.test(stanza) && !/^Enabled:\s*no\s*$/mi.test(stanza))
    .map((stanza) => `${stanza.trim().replace(/^Types:.*$/mi, "Types: deb-src")}\n`)
    .join("\n");
}

/** The version of a source package that has this very archive. */
function versionWith(shown: string, archive: DebianArchive): string | undefined {
  const stanza = shown.split(/\n\s*\n/).find((text) =>
    text.includes(archive.sha256) && text.includes(archive.file)
  );
  return stanza === undefined ? undefined : /^Version:\s*(\S+)/m.exec(stanza)?.[1];
}

function aptConfiguration(directory: string, parts: string): string {
  const settings: Readonly<Record<string, string>> = {
    "Dir::Etc::sourcelist": "/dev/null",
    "Dir::Etc::sourceparts": parts,
    "Dir::State::Lists": join(directory, "lists"),
    "Dir::Cache": join(directory, "cache"),
    "Acquire::http::Timeout": `${NETWORK_SECONDS}`,
    "Acquire::https::Timeout": `${NETWORK_SECONDS}`,
    "Acquire::Retries": "0",
    "Acquire::Languages": "none",
    // Or an update that reaches nobody ends as if all were well.
    "APT::Update::Error-Mode": "any",
    // The directory is ours alone, so apt's own user could not write to it.
    "APT::Sandbox::User": "",
  };
  const hooks = [
    "APT::Update::Pre-Invoke",
    "APT::Update::Post-Invoke",
    "APT::Update::Post-Invoke-Success",
  ];
  return [
    ...hooks.map((name) => `#clear ${name};`),
    ...Object.entries(settings).map(([name, value]) => `${name} "${value}";`),
  ].join("\n") + "\n";
}
