/**
 * Making subjects ready: what each preloads and sets on this machine, and of which version it is.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { dirname, isAbsolute, join, relative } from "node:path";
import { gunzipSync } from "node:zlib";
import { planLaunch, preloadedLibraries } from "../../lib/run/plan.ts";
import { launchWords, type VariantOptions } from "../../lib/watch/compare/variants.ts";
import { environmentWithout } from "../../tools/environment.ts";
import { debianFile } from "../../tools/packages/debian.ts";
import { builtLibrary, ROOT } from "../../tools/paths.ts";
import type { MissingSubject, SubjectInfo } from "./results.ts";
import type { Launched, SubjectSpec, Tuned } from "./subjects.ts";

/** A subject that programs can be started under. */
export interface Subject {
  readonly info: SubjectInfo;
  /** How it is run. */
  readonly variant: VariantOptions;
  /** Paths of the file that must serve `malloc`, the real one first; none for libc's own. */
  readonly files: readonly string[];
}

/** What the suite must not inherit: it would change an allocator, or offheap. */
const FOREIGN =
  /^(LD_PRELOAD|_?R?JE_MALLOC_CONF|MALLOC_.*|MIMALLOC_.*|TCMALLOC_.*|GLIBC_TUNABLES|OFFHEAP_.*)$/i;

/** The environment in which every program starts, before its subject's own variables. */
export function neutralEnvironment(): Record<string, string> {
  return environmentWithout(FOREIGN);
}

/** A path without this machine's part. */
export function placeOf(path: string): string {
  const place = relative(ROOT, path);
  return place.startsWith("..") ? path : place;
}

/** A word of a command; a path without this machine's part. */
function placeOfWord(word: string): string {
  return isAbsolute(word) ? placeOf(word) : word;
}

/** A path may be a link; evidence names one or the other. */
function pathsOf(path: string): string[] {
  return [...new Set([realpathSync(path), path])];
}

function manifestVersion(library: string): string {
  const manifest: unknown = JSON.parse(readFileSync(`${library}.json`, "utf8"));
  if (typeof manifest === "object" && manifest !== null && "version" in manifest) {
    return String(manifest.version);
  }
  throw new Error(`Cannot determine the version: ${library}.json has none`);
}

/** A Debian package's version, of its changelog: `source (version) suite; …`. */
export function packageVersion(packageName: string, library: string): string {
  const documents = join(dirname(library), "..", "..", "share", "doc", packageName);
  const name = existsSync(documents)
    ? readdirSync(documents).find((file) => /^changelog\.(Debian\.)?gz$/i.test(file))
    : undefined;
  if (name === undefined) return "unknown";
  const text = gunzipSync(readFileSync(join(documents, name))).toString("utf8");
  return /\(([^)]+)\)/.exec(text)?.[1] ?? "unknown";
}

function glibcVersion(): string {
  return execFileSync("getconf", ["GNU_LIBC_VERSION"], { encoding: "utf8" }).trim()
    .replace(/^glibc /, "");
}

function prepareLaunched(spec: SubjectSpec, { options, library }: Launched): Subject {
  const plan = planLaunch(options, neutralEnvironment());
  const file = plan.library?.path ?? null;
  return {
    variant: { name: spec.id, ...options },
    files: file === null ? [] : pathsOf(file),
    info: {
      id: spec.id,
      title: spec.title,
      allocator: spec.allocator,
      version: file === null ? glibcVersion() : library?.version ?? manifestVersion(file),
      build: library?.build ??
        (file === null ? "the system's" : options.secure === true ? "secure" : "preload"),
      command: `offheap run ${launchWords(options).map(placeOfWord).join(" ")}`,
      preloaded: preloadedLibraries(plan).map(({ path }) => placeOf(path)),
      variables: { ...plan.tuning },
    },
  };
}

function preparePreloaded(
  spec: SubjectSpec,
  path: string,
  build: string,
  version: string,
): Subject {
  return {
    variant: { name: spec.id, plain: true, variables: { LD_PRELOAD: path } },
    files: pathsOf(path),
    info: {
      id: spec.id,
      title: spec.title,
      allocator: spec.allocator,
      version,
      build,
      command: `LD_PRELOAD=${placeOf(path)}`,
      preloaded: [placeOf(path)],
      variables: {},
    },
  };
}

function prepareTuned({ id, title, allocator }: SubjectSpec, { variables }: Tuned): Subject {
  const words = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  return {
    variant: { name: id, plain: true, variables },
    files: [],
    info: {
      id,
      title,
      allocator,
      version: glibcVersion(),
      build: "the system's",
      command: words.join(" "),
      preloaded: [],
      variables: { ...variables },
    },
  };
}

function prepareOne(spec: SubjectSpec): Subject | MissingSubject {
  const { start } = spec;
  if (start.by === "launcher") return prepareLaunched(spec, start);
  if (start.by === "variables") return prepareTuned(spec, start);
  if (start.by === "preload") {
    const path = builtLibrary(start.library, "preload");
    return preparePreloaded(spec, path, "preload", manifestVersion(path));
  }
  const found = debianFile(start.packageName, start.file);
  if ("missing" in found) return { id: spec.id, title: spec.title, reason: found.missing };
  const version = packageVersion(start.packageName, found.path);
  return preparePreloaded(spec, found.path, "Debian's", version);
}

/** How the preparation of the subjects ended. */
export interface PreparedSubjects {
  readonly subjects: readonly Subject[];
  readonly missing: readonly MissingSubject[];
}

/**
 * Makes subjects ready to start programs. Debian's packages are fetched once; one that cannot be
 * had is missing, with the reason.
 *
 * @throws {Error} when a subject of our own cannot be started: that is a fault, not a lack.
 */
export function prepareSubjects(specs: readonly SubjectSpec[]): PreparedSubjects {
  const all = specs.map((spec) => prepareOne(spec));
  return {
    subjects: all.filter((one) => "variant" in one),
    missing: all.filter((one) => "reason" in one),
  };
}
