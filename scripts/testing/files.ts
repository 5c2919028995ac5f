/**
 * The shared test files, and what each is called in rules and reports.
 *
 * @module
 */
import { readdirSync } from "node:fs";
import { join, relative, resolve, sep } from "node:path";
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

/**
 * The test files whose path in the checkout contains one of the words, or that are what a word is the
 * path of; all without words. The checkout's own path says nothing of a file.
 *
 * @throws {Error} when there is none.
 */
export function chosenTests(words: readonly string[]): string[] {
  const chosen = testFiles().filter((path) => {
    const name = relative(ROOT, path).replaceAll(sep, "/");
    const isNamed = (word: string): boolean =>
      name.includes(word) || `${path}${sep}`.startsWith(`${resolve(word)}${sep}`);
    return words.length === 0 || words.some(isNamed);
  });
  if (chosen.length > 0) return chosen;
  throw new Error(`Cannot run tests: no file in tests/ matches ${words.join(" ")}`);
}

/** What a test file is called: `memory/arena` for `tests/memory/arena.test.ts`. */
export function testName(path: string): string {
  return relative(TESTS, path).slice(0, -SUFFIX.length).replaceAll(sep, "/");
}
