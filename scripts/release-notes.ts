/**
 * `npm run --silent release:notes`: what the changelog says of this version. With `-- --tag v1.2.3`
 * it fails unless that is the tag of this version.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { Command } from "commander";
import { VERSION } from "../lib/version.ts";
import { releaseNotes } from "./release/changelog.ts";
import { ROOT } from "../tools/paths.ts";

const { tag = `v${VERSION}` } = new Command("npm run release:notes --")
  .description("Prints what the changelog says of this version.")
  .option("--tag <tag>", "must be the version's")
  .parse().opts<{ tag?: string }>();
try {
  if (tag !== `v${VERSION}`) {
    throw new Error(`Cannot release: the tag must be v${VERSION}; got "${tag}"`);
  }
  console.log(releaseNotes(readFileSync(join(ROOT, "CHANGELOG.md"), "utf8"), VERSION));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
