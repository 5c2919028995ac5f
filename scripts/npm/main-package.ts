/**
 * The main package: its directory, whole.
 *
 * @module
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join, posix } from "node:path";
import type { ReleaseHashes } from "../../lib/library/release-hashes.ts";
import type { ReleaseTarget } from "../../lib/library/targets.ts";
import { hostTarget } from "../../lib/library/target.ts";
import { ROOT } from "../../tools/runtimes.ts";
import { bundlePackage } from "./bundle.ts";
import { buildWithDnt } from "./dnt.ts";
import { copyParts, listFiles, NATIVE_SOURCES, SOURCE_PARTS, TEXTS, writeJson } from "./files.ts";
import { mainManifest, platformPackageName } from "./manifest.ts";
import { buildPlatformPackage, type PlatformContent } from "./platform-packages.ts";
import { packagedReadme } from "./readme.ts";
import { buildWithTsc } from "./tsc.ts";
import { writeReleaseHashes } from "./release-hashes.ts";
import { tryMainPackage } from "./trial.ts";
import type { Builder, BuilderInput, BuilderName } from "./types.ts";

/** The builders. */
export const BUILDERS: Readonly<Record<BuilderName, Builder>> = {
  tsc: buildWithTsc,
  dnt: buildWithDnt,
};

/** How the main package is made. */
export interface MainPackageOptions {
  /** Its directory; what is there is removed. */
  readonly directory: string;
  /** What compiles. */
  readonly builder: BuilderName;
  /** The targets whose platform packages it names. */
  readonly targets: readonly ReleaseTarget[];
  /** What there are platform packages of: the host's is installed for the trial. */
  readonly contents: readonly PlatformContent[];
  /** The hashes of what is in the platform packages. */
  readonly hashes: ReleaseHashes;
  /** What dnt is loaded from. */
  readonly dnt?: string | undefined;
}

/**
 * Makes the main package. What was there before stays when the new one does not work.
 *
 * @returns What compiled it.
 * @throws {Error} when that fails, or what it made does not work.
 */
export async function buildMainPackage(options: MainPackageOptions): Promise<string> {
  const { directory, builder, targets, contents, hashes, dnt } = options;
  // Within the checkout a compiler finds its packages.
  mkdirSync(join(ROOT, "build"), { recursive: true });
  const work = mkdtempSync(join(ROOT, "build", ".npm-"));
  try {
    const input: BuilderInput = {
      sources: join(work, "sources"),
      directory: join(work, "package"),
      manifest: mainManifest(targets),
      dnt,
    };
    copyParts(SOURCE_PARTS, input.sources);
    writeReleaseHashes(input.sources, hashes);
    const ran = await fill(input, BUILDERS[builder]);
    await tryMainPackage(input.directory, installPlatform(contents, work));
    rmSync(directory, { recursive: true, force: true });
    cpSync(input.directory, directory, { recursive: true });
    return ran;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Makes the host's platform package where the main one finds it; the directory, if there is one. */
function installPlatform(
  contents: readonly PlatformContent[],
  directory: string,
): string | undefined {
  const content = contents.find(({ target }) => target.name === hostTarget().name);
  if (content === undefined) return undefined;
  const place = join(directory, "node_modules", platformPackageName(content.target.name));
  buildPlatformPackage(content, place);
  return place;
}

async function fill(input: BuilderInput, builder: Builder): Promise<string> {
  const { sources, directory, manifest } = input;
  mkdirSync(directory);
  // The sources are ES modules, whatever the bundles of them will be.
  writeJson(join(directory, "package.json"), { ...manifest, type: "module" });
  const ran = await builder(input);
  bundlePackage(directory);
  // Bun runs this checkout's sources, and not what a builder made of them.
  rmSync(join(directory, "src"), { recursive: true });
  cpSync(sources, join(directory, "src"), { recursive: true });
  // The shim is built from sources beside the compiled code, as it is in a checkout.
  copyParts([NATIVE_SOURCES], join(directory, "dist"));
  copyParts(TEXTS, directory);
  writeFileSync(join(directory, "README.md"), packagedReadme());
  keepReachable(join(directory, "types"), "mod.d.ts", ANY_IMPORT);
  keepReachable(join(directory, "src"), "mod.ts", VALUE_IMPORT);
  dropComments(join(directory, "src"), () => true);
  const entry = readFileSync(join(directory, "types", "mod.d.ts"), "utf8");
  dropComments(join(directory, "types"), (path) => !isShown(path, entry));
  for (const name of readdirSync(directory)) {
    if (!PUBLISHED.includes(name)) rmSync(join(directory, name), { recursive: true });
  }
  writeJson(join(directory, "package.json"), manifest);
  return ran;
}

/** What the package has; a builder may have left more. */
const PUBLISHED: readonly string[] = [
  ...["dist", "src", "types", "package.json", "README.md"],
  ...TEXTS,
];

/** A relative import in a declaration. */
const ANY_IMPORT = /(?:from |import ?\(?)"(\.[^"\n]+)\.js"/g;

/** One in a source, if it is there when the program runs. */
const VALUE_IMPORT =
  /(?:^(?:import|export) (?!type\b)[^;"]*?from |^import |\bimport\()"(\.[^"\n]+)\.ts"/gm;

/** Comments that have lines of their own; nothing else of ours begins a line like that. */
const COMMENTS = /^[ \t]*(?:\/\*\*[\s\S]*?\*\/|\/\/.*)$/gm;

/**
 * Empties the comments, a third of what would be packed: the declarations repeat those that users
 * read. The lines stay, as the source map counts them.
 */
function withoutComments(text: string): string {
  return text.replace(COMMENTS, (comment) => comment.replace(/[^\n]/g, ""));
}

/** Errors come to the entry by way of another module. */
const SHOWN: readonly string[] = ["mod.d.ts", "ffi/errors.d.ts"];

/** Whether a declaration's comments are those of exports: others only take part in their types. */
function isShown(path: string, entry: string): boolean {
  return SHOWN.includes(path) || entry.includes(`"./${path.replace(/\.d\.ts$/, ".js")}"`);
}

function dropComments(directory: string, from: (path: string) => boolean): void {
  for (const path of listFiles(directory).filter(from)) {
    const file = join(directory, path);
    writeFileSync(file, withoutComments(readFileSync(file, "utf8")));
  }
}

/**
 * Removes the files that an entry does not lead to. The command line's sources are of no use to
 * programs, nor are sources that have types only: those are among the declarations.
 */
function keepReachable(directory: string, entry: string, imports: RegExp): void {
  const extension = entry.slice(entry.indexOf("."));
  const reached = new Set<string>();
  const visit = (path: string): void => {
    if (reached.has(path)) return;
    reached.add(path);
    const text = readFileSync(join(directory, path), "utf8");
    for (const [, specifier = ""] of text.matchAll(imports)) {
      const next = posix.join(posix.dirname(path), specifier + extension);
      // An example in a comment names a module as its reader would.
      if (existsSync(join(directory, next))) visit(next);
    }
  };
  visit(entry);
  for (const path of listFiles(directory)) {
    if (!reached.has(path)) rmSync(join(directory, path));
  }
  removeEmptyDirectories(directory);
}

function removeEmptyDirectories(directory: string): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const path = join(directory, entry.name);
    removeEmptyDirectories(path);
    if (readdirSync(path).length === 0) rmdirSync(path);
  }
}
