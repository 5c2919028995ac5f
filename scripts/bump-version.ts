/**
 * `npm run bump -- <patch|minor|major|x.y.z>`: a new version, in every file that has it.
 *
 * @module
 */
import process from "node:process";
import { Command } from "commander";
import { BUMPED_FILES, bumpVersion } from "./release/version.ts";
import { ROOT } from "../tools/paths.ts";

const { args: [asked = ""] } = new Command("npm run bump --")
  .description("Writes a new version into every file that has it.")
  .argument("<version>", "patch, minor, major or x.y.z")
  .parse();
try {
  const version = bumpVersion(ROOT, asked, new Date().toISOString().slice(0, 10));
  console.log(`The version is ${version}. Look at it with "git diff", then:

  npm run ok
  git commit -m "chore(release): ${version}" ${BUMPED_FILES.join(" ")}
  git tag -s v${version} -m "offheap ${version}"
  git push --follow-tags

The tag starts .github/workflows/release.yml.`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
