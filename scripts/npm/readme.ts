/**
 * The main package's README: this checkout's, for who installed the package and has no checkout.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { VERSION } from "../../lib/version.ts";
import { ROOT } from "../../tools/paths.ts";
import { REPOSITORY } from "./manifest.ts";

/** What is about a checkout only. */
const CLONE = /^## In a clone\n[^]*?(?=^## )/m;

/** What holds until there is a package to read it in. */
const UNRELEASED = /^<!-- unreleased:begin -->\n[^]*?<!-- unreleased:end -->\n\n/m;

/** A link or a picture whose place is a path in the repository. */
const LINK = /(!?)(\[[^\]]*\])\((?!https?:|#)([^)\s]+)\)/g;

/**
 * The text.
 *
 * @throws {Error} when the section about a checkout is not found.
 */
export function packagedReadme(): string {
  const text = readFileSync(join(ROOT, "README.md"), "utf8");
  if (!CLONE.test(text)) throw new Error('Cannot package README.md: it has no "## In a clone"');
  return text.replace(CLONE, "").replace(UNRELEASED, "").replaceAll(
    LINK,
    (_, mark: string, shown: string, path: string) =>
      `${mark}${shown}(${REPOSITORY}/${mark === "!" ? "raw" : "blob"}/v${VERSION}/${path})`,
  );
}
