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
} from "node:fs";
import { join, posix } from "node:path";
import type { ReleaseTarget } from "../../lib/library/targets.ts";
import { ROOT } from "../runtimes.ts";
import { bundlePackage } from "./bundle.ts";
import { buildWithDnt } from "./dnt.ts";
import { copyParts, listFiles, NATIVE_SOURCES, SOURCE_PARTS, TEXTS, writeJson } from "./files.ts";
import { mainManifest, type Manifest } from "./manifest.ts";
import { buildWithTsc } from "./tsc.ts";
import type { Builder, BuilderName } from "./types.ts";

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
  /** What dnt is loaded from. */
  readonly dnt?: string | undefined;
}

/**
 * Makes the main package.
 *
 * @returns What compiled it.
 * @throws {Error} when that fails.
 */
export async function buildMainPackage(options: MainPackageOptions): Promise<string> {
  const { directory, builder, targets, dnt } = options;
  // Within the checkout a compiler finds its packages.
  mkdirSync(join(ROOT, "build"), { recursive: true });
  const work = mkdtempSync(join(ROOT, "build", ".npm-"));
  try {
    const ran = await fill(work, BUILDERS[builder], mainManifest(targets), dnt);
    rmSync(directory, { recursive: true, force: true });
    cpSync(work, directory, { recursive: true });
    return ran;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function fill(
  directory: string,
  builder: Builder,
  manifest: Manifest,
  dnt: string | undefined,
): Promise<string> {
  writeJson(join(directory, "package.json"), manifest);
  copyParts(SOURCE_PARTS, join(directory, "src"));
  const ran = await builder({ directory, manifest, dnt });
  bundlePackage(directory);
  // The shim is built from sources beside the compiled code, as it is in a checkout.
  copyParts([NATIVE_SOURCES], join(directory, "esm"));
  copyParts(TEXTS, directory);
  keepReachable(join(directory, "types"), "mod.d.ts");
  keepReachable(join(directory, "src"), "mod.ts");
  for (const name of readdirSync(directory)) {
    if (!PUBLISHED.includes(name)) rmSync(join(directory, name), { recursive: true });
  }
  writeJson(join(directory, "package.json"), manifest);
  return ran;
}

/** What the package has; a builder may have left more. */
const PUBLISHED: readonly string[] = ["esm", "src", "types", "package.json", ...TEXTS];

/** A relative import; dnt's sources name what the compiler will make of a module. */
const SPECIFIER = /(?:from |import ?\(?)"(\.[^"\n]+)\.[jt]s"/g;

/**
 * Removes the files that an entry does not lead to. The command line's sources and declarations are
 * of no use to programs.
 */
function keepReachable(directory: string, entry: string): void {
  const extension = entry.slice(entry.indexOf("."));
  const reached = new Set<string>();
  const visit = (path: string): void => {
    if (reached.has(path)) return;
    reached.add(path);
    const text = readFileSync(join(directory, path), "utf8");
    for (const [, specifier = ""] of text.matchAll(SPECIFIER)) {
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
