/**
 * The platform packages: the libraries of one target each, from what the native build left.
 *
 * @module
 */
import { copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { BUILT_ALLOCATORS } from "../../lib/allocators/mod.ts";
import { buildDirectory, libraryFileName, packagedFile } from "../../lib/library/directories.ts";
import { librariesOf, type LibraryName, type Variant } from "../../lib/library/manifest.ts";
import { manifestOf, manifestPath } from "../../lib/library/resolve.ts";
import type { ReleaseTarget } from "../../lib/library/targets.ts";
import { sha256File } from "../../packages/build/store/hashes.ts";
import { ROOT } from "../../tools/paths.ts";
import { copyParts, licenceText, writeJson } from "./files.ts";
import { MAIN_PACKAGE, platformManifest, platformPackageName } from "./manifest.ts";

/** A library of a package. */
export interface PackagedLibrary {
  /** Which library. */
  readonly name: LibraryName;
  /** How it was built. */
  readonly variant: Variant;
  /** The file that the build made; its manifest is beside it. */
  readonly from: string;
  /** Its path in the package. */
  readonly to: string;
}

/** What the native build has for a target. */
export interface PlatformContent {
  /** The target. */
  readonly target: ReleaseTarget;
  /** The libraries that there have to be. */
  readonly libraries: readonly PackagedLibrary[];
  /** Files that the build has not made; with any, there is no package. */
  readonly missing: readonly string[];
}

/**
 * What the native build has for a target.
 *
 * @param root The checkout whose build is looked at.
 */
export function platformContent(target: ReleaseTarget, root: string = ROOT): PlatformContent {
  const libraries = target.variants.flatMap((variant) => {
    const directory = buildDirectory(root, target.name, variant);
    return librariesOf(variant).map((name) => {
      const file = libraryFileName(name, target.platform);
      return { name, variant, from: join(directory, file), to: packagedFile(file, variant) };
    });
  });
  const files = libraries.flatMap(({ from }) => [from, manifestPath(from)]);
  return { target, libraries, missing: files.filter((path) => !existsSync(path)) };
}

/** What a program that imports the package gets, and offheap with it. */
function resolver(name: string): string {
  return `/** The directory that has the libraries. */
exports.directory = __dirname;

// offheap looks here first: it may have been loaded from where packages cannot be found.
globalThis[Symbol.for(${JSON.stringify(name)})] = __dirname;
`;
}

const RESOLVER_TYPES = `/** The directory that has the libraries. */
export declare const directory: string;
`;

function readme(name: string, target: string): string {
  return `# ${name}

The libraries of \`${MAIN_PACKAGE}\` for ${target}: jemalloc,
mimalloc and offheap's shim, each with a manifest that says what it was made of. offheap depends on
this package and finds it; there is no need to install it by itself.

\`import { directory } from "${name}"\` gives the path of the directory, and shows it to offheap
where offheap cannot find packages, as when it is imported from JSR.
`;
}

/** Refuses a library that is not the one that its manifest describes, or is for something else. */
function checkLibrary(library: PackagedLibrary, target: ReleaseTarget): void {
  const { name, variant, from } = library;
  const manifest = manifestOf(from);
  const sha256 = sha256File(from);
  const expected = { allocator: name, variant, target: target.name, sha256 };
  for (const [key, value] of Object.entries(expected)) {
    const found: unknown = Reflect.get(manifest ?? {}, key);
    if (found === value) continue;
    throw new Error(
      `Cannot package "${from}": its ${key} is ${value}, but its manifest says ${found}`,
    );
  }
}

/**
 * Makes a target's package.
 *
 * @param directory The package's directory; what is there is removed.
 * @throws {Error} when a library is missing, or not what its manifest says.
 */
export function buildPlatformPackage(content: PlatformContent, directory: string): void {
  const { target, libraries, missing } = content;
  const name = platformPackageName(target.name);
  if (missing.length > 0) {
    throw new Error(`Cannot make ${name}: these files are not built: ${missing.join(", ")}`);
  }
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  for (const library of libraries) {
    checkLibrary(library, target);
    const place = join(directory, library.to);
    mkdirSync(dirname(place), { recursive: true });
    copyFileSync(library.from, place);
    copyFileSync(manifestPath(library.from), manifestPath(place));
  }
  for (const allocator of BUILT_ALLOCATORS) {
    mkdirSync(join(directory, "licences"), { recursive: true });
    writeFileSync(join(directory, "licences", `${allocator}.txt`), licenceText(allocator));
  }
  copyParts(["LICENSE", "THIRD-PARTY-NOTICES.md"], directory);
  writeFileSync(join(directory, "README.md"), readme(name, target.name));
  writeFileSync(join(directory, "index.cjs"), resolver(name));
  writeFileSync(join(directory, "index.d.ts"), RESOLVER_TYPES);
  writeJson(join(directory, "package.json"), platformManifest(target));
}
