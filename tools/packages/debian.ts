/**
 * Debian's packages, fetched with `apt-get` and unpacked below `build/debian` without installing
 * them: no root is needed, and the machine stays as it is.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { errorCode } from "../../lib/system/files.ts";
import { ROOT } from "../paths.ts";

const CACHE = join(ROOT, "build", "debian");
const LIMIT_MS = 300_000;

const SOURCES = "/etc/apt/sources.list.d";
const STATUS = "/var/lib/dpkg/status";

/** Directories that current systems keep in `/usr`; packages may still hold them apart. */
const MERGED: readonly string[] = ["bin", "sbin", "lib", "lib64"];

/** How packages are fetched. */
export interface DebianOptions {
  /** Another release than the machine's own. */
  readonly suite?: string | undefined;
  /** Fetch what they depend on as well, where the machine has not installed it. */
  readonly dependencies?: boolean;
}

/** The machine's own package sources, for another release: a list of our own to read them from. */
function sourcesFor(directory: string, suite: string): string[] {
  const parts = join(directory, "sources");
  mkdirSync(parts);
  for (const file of readdirSync(SOURCES).filter((name) => name.endsWith(".sources"))) {
    // A release's security updates are at a place of their own, which has no other suites.
    const sources = readFileSync(join(SOURCES, file), "utf8").split("\n\n")
      .filter((paragraph) => !/^Suites:.*-security/m.test(paragraph)).join("\n\n");
    writeFileSync(join(parts, file), sources.replace(/^Suites:.*$/gm, `Suites: ${suite}`));
  }
  return ["Dir::Etc::sourcelist=/dev/null", `Dir::Etc::sourceparts=${parts}`];
}

/** The machine's list of installed packages without some: apt then brings these in any case. */
function statusWithout(directory: string, names: readonly string[]): string[] {
  const path = join(directory, "status");
  const paragraphs = readFileSync(STATUS, "utf8").split("\n\n");
  const kept = paragraphs.filter((text) =>
    !names.some((name) => text.startsWith(`Package: ${name}\n`))
  );
  writeFileSync(path, kept.join("\n\n"));
  return [`Dir::State::status=${path}`, "Debug::NoLocking=1"];
}

/** The processors that packages are for: others than the machine's are named after a colon. */
function architectures(names: readonly string[]): string[] {
  const own = execFileSync("dpkg", ["--print-architecture"], { encoding: "utf8" }).trim();
  const others = names.flatMap((name) => name.split(":").slice(1));
  return [...new Set([own, ...others])];
}

function apt(directory: string, options: readonly string[], args: readonly string[]): void {
  const all = [
    ...options,
    `Dir::Cache=${join(directory, "cache")}`,
    "APT::Sandbox::User=",
    "Acquire::Languages=none",
    "Acquire::Retries=1",
    "Acquire::http::Timeout=10",
    "Acquire::https::Timeout=10",
  ].flatMap((option) => ["-o", option]);
  execFileSync("apt-get", [...all, "--quiet", ...args], {
    cwd: directory,
    timeout: LIMIT_MS,
    stdio: ["ignore", "ignore", "pipe"],
  });
}

/**
 * What apt's lists are read from: fetched once an hour, as that takes longer than most packages. Those
 * of an hour before may still be read.
 */
function lists(work: string, settings: readonly string[], of: string): string {
  const hour = Math.floor(Date.now() / 3_600_000);
  for (const name of readdirSync(CACHE)) {
    const [, age] = /^\.lists-.*-(\d+)$/.exec(name) ?? [];
    if (age !== undefined && Number(age) < hour - 1) {
      rmSync(join(CACHE, name), { recursive: true, force: true });
    }
  }
  const shared = join(CACHE, `.lists-${of}-${hour}`);
  if (existsSync(shared)) return `Dir::State::Lists=${shared}`;
  const own = join(work, "lists");
  try {
    apt(work, [...settings, `Dir::State::Lists=${own}`], ["update"]);
  } catch {
    // A repository that has no such release fails; whether the package came is what counts.
    return `Dir::State::Lists=${own}`;
  }
  moveUnlessThere(own, shared);
  return `Dir::State::Lists=${shared}`;
}

/** Moves a directory; where somebody was quicker, theirs stays, as it may be in use by now. */
function moveUnlessThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!["ENOTEMPTY", "EEXIST"].includes(errorCode(error))) throw error;
  }
}

function download(work: string, names: readonly string[], options: DebianOptions): string[] {
  const sources = options.suite === undefined ? [] : sourcesFor(work, options.suite);
  const processors = architectures(names);
  const all = [...sources, `APT::Architectures=${processors.join(",")}`];
  const of = [options.suite ?? "own", ...processors].join("-");
  const settings = [...all, lists(work, all, of)];
  const archives = join(work, "cache", "archives");
  if (options.dependencies === true) {
    const resolved = [...settings, ...statusWithout(work, names)];
    const words = ["--yes", "--no-install-recommends", "--download-only", "install", ...names];
    apt(work, resolved, words);
  } else apt(work, settings, ["download", ...names]);
  return [work, archives].flatMap((directory) =>
    readdirSync(directory).filter((file) => file.endsWith(".deb")).map((file) =>
      join(directory, file)
    )
  );
}

/** Moves what is beside `/usr` into it, as on a system where they are one. */
function merge(root: string): void {
  for (const name of MERGED) {
    const from = join(root, name);
    if (!existsSync(from) || lstatSync(from).isSymbolicLink()) continue;
    cpSync(from, join(root, "usr", name), { recursive: true, verbatimSymlinks: true });
    rmSync(from, { recursive: true });
  }
}

function unpack(names: readonly string[], target: string, options: DebianOptions): void {
  mkdirSync(CACHE, { recursive: true });
  const work = mkdtempSync(join(CACHE, ".work-"));
  try {
    for (const name of ["lists/partial", "cache/archives/partial"]) {
      mkdirSync(join(work, name), { recursive: true });
    }
    const archives = download(work, names, options);
    if (archives.length === 0) throw new Error(`apt-get brought no archive of ${names.join(", ")}`);
    for (const archive of archives) execFileSync("dpkg-deb", ["-x", archive, join(work, "root")]);
    merge(join(work, "root"));
    moveUnlessThere(join(work, "root"), target);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/**
 * Where Debian packages are unpacked together; fetches them first when they are not there.
 *
 * @param names Their names; with a colon and a processor for one of another, as `musl:arm64`.
 * @throws {Error} when they cannot be fetched.
 */
export function debianRoot(names: readonly string[], options: DebianOptions = {}): string {
  const key = `${names.join("+").replaceAll(":", ".")}-${options.suite ?? "own"}`;
  const target = join(CACHE, key);
  try {
    if (!existsSync(target)) unpack(names, target, options);
  } catch (error) {
    const said = error instanceof Error ? error.message.split("\n")[0] : String(error);
    const title = names.length === 1 ? "package" : "packages";
    throw new Error(`Debian's ${title} ${names.join(", ")} could not be fetched (${said})`);
  }
  return target;
}

/** A file of a Debian package, fetched and unpacked once; or why it cannot be had. */
export type DebianFile = { readonly path: string } | { readonly missing: string };

/**
 * Finds a file of a Debian package, by a name that its path ends with.
 *
 * @param suite Another release than the machine's own.
 */
export function debianFile(packageName: string, ending: string, suite?: string): DebianFile {
  try {
    const root = debianRoot([packageName], { suite });
    const files = readdirSync(root, { recursive: true }).map(String);
    const file = files.find((name) => name.endsWith(ending));
    if (file === undefined) return { missing: `${packageName} has no file ${ending}` };
    return { path: join(root, file) };
  } catch (error) {
    return { missing: error instanceof Error ? error.message : String(error) };
  }
}
