/**
 * The main package: its directory, whole.
 *
 * @module
 */
import { appendFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ReleaseHashes } from "../../lib/library/release-hashes.ts";
import type { ReleaseTarget } from "../../lib/library/targets.ts";
import { ROOT } from "../../tools/paths.ts";
import { makePages, PAGE_LICENCES } from "../pages/make.ts";
import { writeDeclarations } from "./declarations.ts";
import { requireSameByDnt } from "./dnt.ts";
import { copyParts, SOURCE_PARTS, TEXTS, writeJson } from "./files.ts";
import { buildJavaScript, ESBUILD } from "./javascript.ts";
import { mainManifest } from "./manifest.ts";
import { bundledNotices } from "./notices.ts";
import { packagedReadme } from "./readme.ts";
import { writeReleaseHashes } from "./release-hashes.ts";

/** Who makes the JavaScript: esbuild of the sources, or of what dnt made of them as well. */
export const BUILDERS = ["esbuild", "dnt"] as const;

/** A builder's name. */
export type BuilderName = (typeof BUILDERS)[number];

/** How the main package is made. */
export interface MainPackageOptions {
  /** What makes the JavaScript. */
  readonly builder: BuilderName;
  /** The targets whose platform packages it names. */
  readonly targets: readonly ReleaseTarget[];
  /** The hashes of what is in the platform packages. */
  readonly hashes: ReleaseHashes;
  /** What dnt is loaded from. */
  readonly dnt?: string | undefined;
}

/**
 * Makes the main package in a directory of the checkout, where a compiler finds its packages.
 *
 * @returns What made its JavaScript.
 * @throws {Error} when that fails, or dnt makes anything else.
 */
export async function buildMainPackage(
  work: string,
  options: MainPackageOptions,
): Promise<string> {
  const directory = join(work, "package");
  const sources = join(directory, "src");
  const dist = join(directory, "dist");
  mkdirSync(directory);
  // The sources are ES modules, whatever the bundles of them will be.
  writeJson(join(directory, "package.json"), { type: "module" });
  await makePages();
  copyParts(SOURCE_PARTS, sources);
  writeReleaseHashes(sources, options.hashes);
  const metafiles = await buildJavaScript(dist, { modules: sources });
  const same = options.builder === "dnt"
    ? `, and the same by ${await requireSameByDnt({ sources, work, dnt: options.dnt })}`
    : "";
  writeDeclarations(directory);
  copyParts(TEXTS, directory);
  const notices = join(directory, "THIRD-PARTY-NOTICES.md");
  appendFileSync(notices, bundledNotices(metafiles, sources));
  // What runs in pages is a text in the code, of which no bundler knows.
  for (const path of PAGE_LICENCES) {
    appendFileSync(notices, readFileSync(join(ROOT, path), "utf8").replace(/^# .*\n/, ""));
  }
  writeFileSync(join(directory, "README.md"), packagedReadme());
  rmSync(sources, { recursive: true });
  writeJson(join(directory, "package.json"), mainManifest(options.targets));
  return `${ESBUILD}${same}`;
}

/** Puts what was made into the place of what was there. */
export function replaceDirectory(made: string, directory: string): void {
  rmSync(directory, { recursive: true, force: true });
  cpSync(made, directory, { recursive: true });
}
