/**
 * `offheap compare`, run to its end.
 *
 * @module
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Comparison } from "../../lib/watch/compare/comparison.ts";
import type { FigureName, Judgement } from "../../lib/watch/compare/types.ts";
import { ComparisonSchema } from "./comparison-schema.ts";
import { compileProgram, temporaryDirectory } from "./compile.ts";
import { type ChildOptions, type ChildResult, offheapCommand, runChild } from "./runtime.ts";

/** Far more than a comparison of a test's programs takes on a busy machine. */
const LIMIT_MS = 240_000;

/** A baseline without offheap. */
export const PLAIN = { name: "base", plain: true } as const;

/** Runs the command in a place, or with variables. */
export function compareWith(options: ChildOptions, ...words: string[]): Promise<ChildResult> {
  return runChild(offheapCommand("compare", ...words), { limit: LIMIT_MS, ...options });
}

/** Runs the command. */
export function compare(...words: string[]): Promise<ChildResult> {
  return compareWith({}, ...words);
}

/** Reads what `--json` has printed, or `--save` written. */
export function readDocument(text: string): Comparison {
  return ComparisonSchema.parse(JSON.parse(text));
}

/** Programs whose comparison has a known answer; the first argument says which. */
export function comparePrograms(): string {
  return compileProgram("compare-programs.c", "compare-programs", ["-pthread"]);
}

/** Runs the command, which must succeed. */
export async function compared(...words: string[]): Promise<Comparison> {
  const { status, stdout, stderr } = await compare("--json", ...words);
  assert.equal(status, 0, stderr);
  return readDocument(stdout);
}

/** A file of variants. */
export function variantsFile(variants: readonly object[]): string {
  const path = join(temporaryDirectory(), "variants.json");
  writeFileSync(path, JSON.stringify(variants));
  return path;
}

/** What was said of a variant's figure. */
export function judgementOf(
  { outcome }: Comparison,
  variant: string,
  figure: FigureName,
): Judgement | undefined {
  return outcome.judgements.find((each) => each.variant === variant && each.figure === figure);
}
