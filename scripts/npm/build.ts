/**
 * All packages at once.
 *
 * @module
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { BUILD_PACKAGE } from "../../ffi/packages.ts";
import { hostTarget } from "../../lib/library/target.ts";
import { manifestOf } from "../../lib/library/resolve.ts";
import { TARGETS } from "../../lib/library/targets.ts";
import { isZig } from "../../packages/build/toolchain/zig.ts";
import { ROOT } from "../../tools/paths.ts";
import { buildBuildPackage } from "./build-package.ts";
import { type BuilderName, buildMainPackage, replaceDirectory } from "./main-package.ts";
import { MAIN_PACKAGE, platformPackageName } from "./manifest.ts";
import {
  buildPlatformPackage,
  type PlatformContent,
  platformContent,
} from "./platform-packages.ts";
import { releaseHashes } from "./release-hashes.ts";
import { tryBuildPackage, tryMainPackage } from "./trial.ts";

/** How the packages are made. */
export interface BuildAllOptions {
  /** The directory that gets a directory for each package. */
  readonly out: string;
  /** What makes the main package's JavaScript. */
  readonly builder: BuilderName;
  /** What dnt is loaded from. */
  readonly dnt?: string;
  /** Whether every target has to be there. */
  readonly allTargets?: boolean;
  /** Whether the main package names all targets, those that are not built, too. */
  readonly nameAll?: boolean;
  /** The checkout whose native build is taken; this one by default. */
  readonly root?: string;
}

/** A package that was made. */
export interface BuiltPackage {
  /** Its name. */
  readonly name: string;
  /** Its directory. */
  readonly directory: string;
}

/** What was made, and what was not. */
export interface BuiltPackages {
  /** What made the main package's JavaScript. */
  readonly ran: string;
  /** The packages, the main one last: what it depends on is published first. */
  readonly packages: readonly BuiltPackage[];
  /** Platform packages whose target is not built, and the first file that is missing. */
  readonly absent: readonly { readonly name: string; readonly missing: string }[];
}

/**
 * Refuses to take the place of a directory that is not a package that was made before.
 *
 * @throws {Error} for one that is anything else.
 */
function requireReplaceable(directory: string): void {
  if (!existsSync(directory)) return;
  const file = join(directory, "package.json");
  const name: unknown = existsSync(file) ? JSON.parse(readFileSync(file, "utf8"))?.name : null;
  if (name === MAIN_PACKAGE) return;
  throw new Error(
    `Cannot make the packages: "${directory}" would be replaced, and it is not the package ` +
      `${MAIN_PACKAGE}. Name another directory with --out.`,
  );
}

/** What a machine's own compiler made runs on this machine, and perhaps on no older one. */
function requireRelease(contents: readonly PlatformContent[]): void {
  for (const { libraries } of contents) {
    for (const { from } of libraries) {
      const compiler = manifestOf(from)?.compiler ?? "";
      if (isZig(compiler)) continue;
      throw new Error(
        `Cannot make the packages of a release: "${from}" was made by "${compiler}" for this ` +
          'machine. Build it with "npm run build:native -- --target all".',
      );
    }
  }
}

/**
 * Makes the packages. What was there before stays when a new one does not work.
 *
 * @throws {Error} when one cannot be made, or a target is missing that has to be there.
 */
export async function buildAll(options: BuildAllOptions): Promise<BuiltPackages> {
  const { out, builder, dnt, allTargets = false, nameAll = false, root = ROOT } = options;
  const contents = TARGETS.map((target) => platformContent(target, root));
  const absent = contents.flatMap(({ target, missing: [first] }) =>
    first === undefined
      ? []
      : [{ name: platformPackageName(target.name), missing: `no ${relative(root, first)}` }]
  );
  if (allTargets && absent.length > 0) {
    const list = absent.map(({ name, missing }) => `\n  ${name}: ${missing}`).join("");
    throw new Error(`Cannot make all packages: these targets are not built:${list}`);
  }
  const ready = contents.filter(({ missing }) => missing.length === 0);
  const main = { name: MAIN_PACKAGE, directory: join(out, MAIN_PACKAGE) };
  const scope = join(out, dirname(platformPackageName("any")));
  requireReplaceable(main.directory);
  if (allTargets) requireRelease(ready);
  const targets = (nameAll ? contents : ready).map(({ target }) => target);
  const hashes = releaseHashes(root, ready.map(({ target }) => target));
  // Within the checkout a compiler finds its packages.
  mkdirSync(join(ROOT, "build"), { recursive: true });
  const work = mkdtempSync(join(ROOT, "build", ".npm-"));
  try {
    // First, for a library may be refused.
    const platform = installPlatform(ready, work);
    const ran = await buildMainPackage(work, { builder, dnt, targets, hashes });
    await buildBuildPackage(join(work, "build-package"));
    await tryMainPackage(join(work, "package"), platform);
    await tryBuildPackage(join(work, "build-package"));
    // Those of targets that are not built any more as well.
    rmSync(scope, { recursive: true, force: true });
    const platforms = ready.map((content) => {
      const name = platformPackageName(content.target.name);
      const directory = join(out, name);
      buildPlatformPackage(content, directory);
      return { name, directory };
    });
    const build = { name: BUILD_PACKAGE, directory: join(out, BUILD_PACKAGE) };
    replaceDirectory(join(work, "build-package"), build.directory);
    replaceDirectory(join(work, "package"), main.directory);
    return { ran, packages: [...platforms, build, main], absent };
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
