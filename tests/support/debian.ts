import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { ROOT } from "./runtime.ts";

const CACHE = join(ROOT, "build", "debian");
const LIMIT_MS = 120_000;

const SOURCES = "/etc/apt/sources.list.d";

/** The machine's own package sources, for another release: a list of our own to read them from. */
function sourcesFor(directory: string, suite: string): string[] {
  const parts = join(directory, "sources");
  mkdirSync(parts);
  for (const file of readdirSync(SOURCES).filter((name) => name.endsWith(".sources"))) {
    const text = readFileSync(join(SOURCES, file), "utf8");
    writeFileSync(join(parts, file), text.replace(/^Suites:.*$/gm, `Suites: ${suite}`));
  }
  return ["Dir::Etc::sourcelist=/dev/null", `Dir::Etc::sourceparts=${parts}`];
}

function apt(directory: string, suite: readonly string[], args: readonly string[]): void {
  const options = [
    ...suite,
    `Dir::State::Lists=${join(directory, "lists")}`,
    `Dir::Cache=${join(directory, "cache")}`,
    "APT::Sandbox::User=",
    "Acquire::Languages=none",
    "Acquire::Retries=1",
    "Acquire::http::Timeout=10",
    "Acquire::https::Timeout=10",
  ].flatMap((option) => ["-o", option]);
  execFileSync("apt-get", [...options, "--quiet", ...args], {
    cwd: directory,
    timeout: LIMIT_MS,
    stdio: ["ignore", "ignore", "pipe"],
  });
}

function unpack(packageName: string, target: string, suite: string | undefined): void {
  mkdirSync(CACHE, { recursive: true });
  const work = mkdtempSync(join(CACHE, ".work-"));
  try {
    for (const name of ["lists/partial", "cache/archives/partial"]) {
      mkdirSync(join(work, name), { recursive: true });
    }
    const sources = suite === undefined ? [] : sourcesFor(work, suite);
    try {
      apt(work, sources, ["update"]);
    } catch {
      // A repository that has no such release fails; whether the package came is what counts.
    }
    apt(work, sources, ["download", packageName]);
    const archive = readdirSync(work).find((file) => file.endsWith(".deb"));
    if (archive === undefined) throw new Error(`apt-get brought no archive of ${packageName}`);
    execFileSync("dpkg-deb", ["-x", join(work, archive), join(work, "root")]);
    rmSync(target, { recursive: true, force: true });
    renameSync(join(work, "root"), target);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** A file of a Debian package, fetched and unpacked once; or why it cannot be had. */
export type DebianFile = { readonly path: string } | { readonly missing: string };

/**
 * Finds a file of a Debian package, by a name that its path ends with.
 *
 * @param suite Another release than the machine's own.
 */
export function debianFile(packageName: string, ending: string, suite?: string): DebianFile {
  const target = join(CACHE, `${packageName}-${suite ?? "own"}`);
  try {
    if (!existsSync(target)) unpack(packageName, target, suite);
    const files = readdirSync(target, { recursive: true }).map(String);
    const file = files.find((name) => name.endsWith(ending));
    if (file === undefined) return { missing: `${packageName} has no file ${ending}` };
    return { path: join(target, file) };
  } catch (error) {
    const said = error instanceof Error ? error.message.split("\n")[0] : String(error);
    return { missing: `Debian's package ${packageName} could not be fetched (${said})` };
  }
}
