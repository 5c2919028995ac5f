/**
 * The shared test files, and what each is called in rules and reports.
 *
 * @module
 */
import { readdirSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { ROOT } from "../../tools/paths.ts";

const TESTS: string = join(ROOT, "tests");
const SUFFIX = ".test.ts";

/** The paths of all test files, in the order of their names. */
export function testFiles(): string[] {
  return readdirSync(TESTS, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(SUFFIX))
    .sort()
    .map((name) => join(TESTS, name));
}

/** What a test file is called: `memory/arena` for `tests/memory/arena.test.ts`. */
export function testName(path: string): string {
  return relative(TESTS, path).slice(0, -SUFFIX.length).replaceAll(sep, "/");
}
