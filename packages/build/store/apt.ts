/**
 * apt with lists and state of our own: nothing of the machine's is changed, and root is not needed.
 *
 * @module
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deriveDeb822, deriveList, type SourceList } from "./apt-sources.ts";
import { DownloadError } from "./download.ts";
import { findProgram, runTool } from "../toolchain/shell.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const NETWORK_SECONDS = 5;
const UPDATE_SECONDS = 120;

/** One apt with a directory of its own, which the caller removes. */
export class PrivateApt {
  readonly #directory: string;
  readonly #list: SourceList;
  readonly #environment: Environment;
  readonly #signal: AbortSignal | undefined;
  #ready: Promise<string> | undefined;
  #updateError: DownloadError | undefined;

  /** Makes one that will work in a directory, which may be missing; nothing happens yet. */
  constructor(directory: string, list: SourceList, environment: Environment, signal?: AbortSignal) {
    this.#directory = directory;
    this.#list = list;
    this.#environment = environment;
    this.#signal = signal;
  }

  /** Why the lists could not be fetched, in part or in whole; what came is known all the same. */
  get updateError(): DownloadError | undefined {
    return this.#updateError;
  }

  /**
   * Runs a program of apt's, after its lists were fetched.
   *
   * @param cwd The working directory; this apt's own when absent.
   * @returns What it printed.
   * @throws {DownloadError} when it fails.
   */
  async run(program: string, args: readonly string[], cwd?: string): Promise<string> {
    const configuration = await (this.#ready ??= this.#prepare());
    return await this.#run([program, `-c=${configuration}`, ...args], cwd);
  }

  async #prepare(): Promise<string> {
    if ((await findProgram("apt-get", this.#environment)) === null) {
      throw new DownloadError("this system has no apt-get");
    }
    const parts = join(this.#directory, "sources.list.d");
    for (const name of ["sources.list.d", "lists/partial", "cache/archives/partial"]) {
      mkdirSync(join(this.#directory, name), { recursive: true });
    }
    const shown = await this.#run([
      "apt-config",
      "shell",
      "MAIN",
      "Dir::Etc::sourcelist/f",
      "PARTS",
      "Dir::Etc::sourceparts/d",
    ]);
    const files = sourceFiles(shown);
    for (const [index, file] of files.entries()) {
      const deb822 = file.endsWith(".sources");
      const derive = deb822 ? deriveDeb822 : deriveList;
      writeFileSync(
        join(parts, `${index}.${deb822 ? "sources" : "list"}`),
        derive(readFileSync(file, "utf8"), this.#list),
      );
    }
    const configuration = join(this.#directory, "apt.conf");
    writeFileSync(join(this.#directory, "status"), "");
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

function aptConfiguration(directory: string, parts: string): string {
  const settings: Readonly<Record<string, string>> = {
    "Dir::Etc::sourcelist": "/dev/null",
    "Dir::Etc::sourceparts": parts,
    "Dir::State::Lists": join(directory, "lists"),
    // Nothing is installed as far as this apt knows: what it fetches does not go by the machine.
    "Dir::State::status": join(directory, "status"),
    "Dir::Cache": join(directory, "cache"),
    "Acquire::http::Timeout": `${NETWORK_SECONDS}`,
    "Acquire::https::Timeout": `${NETWORK_SECONDS}`,
    "Acquire::Retries": "0",
    "Acquire::Languages": "none",
    // Or an update that reaches nobody ends as if all were well.
    "APT::Update::Error-Mode": "any",
    // The directory is ours alone, so apt's own user could not write to it.
    "APT::Sandbox::User": "",
    // dpkg's lock is the machine's, and only root may take it.
    "Debug::NoLocking": "true",
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
