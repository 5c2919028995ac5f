/**
 * `npm run --silent release:notes`: what the changelog says of this version. With `-- --tag v1.2.3`
 * it fails unless that is the tag of this version.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { VERSION } from "../lib/version.ts";
import { releaseNotes } from "./release/changelog.ts";
import { ROOT } from "../tools/paths.ts";

const [option, tag] = process.argv.slice(2);
try {
  if (option !== undefined && (option !== "--tag" || tag !== `v${VERSION}`)) {
    throw new Error(`Cannot release: the tag must be v${VERSION}; got "${tag ?? option}"`);
  }
  console.log(releaseNotes(readFileSync(join(ROOT, "CHANGELOG.md"), "utf8"), VERSION));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
