/**
 * Runs `offheap compare`, and reads what it prints.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import process from "node:process";
import type { Comparison } from "../../lib/watch/compare/comparison.ts";
import { cleanEnvironment } from "../../tools/environment.ts";
import { CLI } from "../../tools/paths.ts";

const MAX_OUTPUT = 1 << 28;

/**
 * Compares; progress goes to standard error.
 *
 * @param node What runs offheap.
 * @param path Directories in front of the path.
 * @throws {Error} when it fails; it has said why.
 */
export function compareOnce(
  node: string,
  words: readonly string[],
  path: readonly string[] = [],
): Comparison {
  const { status, stdout } = spawnSync(node, [CLI, "compare", "--json", ...words], {
    encoding: "utf8",
    maxBuffer: MAX_OUTPUT,
    stdio: ["ignore", "pipe", "inherit"],
    env: cleanEnvironment(node, { PATH: [...path, process.env.PATH ?? ""].join(":") }),
  });
  if (status !== 0) throw new Error(`Cannot go on: offheap compare ended with status ${status}`);
  return JSON.parse(stdout);
}
