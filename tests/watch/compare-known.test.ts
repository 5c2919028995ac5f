/**
 * `offheap compare` of programs whose answer is known: real processes, few rounds.
 */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import type { FigureName, Judgement } from "../../lib/watch/compare/types.ts";
import {
  compared,
  comparePrograms,
  judgementOf,
  PLAIN,
  variantsFile,
} from "../support/compared.ts";
import { THOROUGH } from "../support/effort.ts";
import { skipUnless } from "../support/skip.ts";

const onLinux = skipUnless(process.platform === "linux", "it measures by Linux's /proc");

/** On a push one besides the baseline. */
const NAMES = THOROUGH ? ["jemalloc", "mimalloc"] : ["jemalloc"];
const VARIANTS = [PLAIN, ...NAMES.map((name) => ({ name, allocator: name }))];
/** As many as it takes to find a difference of so many variants. */
const ROUNDS = ["--rounds", THOROUGH ? "7" : "6"];

/** How long it takes, and the processors' part of it. */
const TIMES = ["wallSeconds", "userSeconds"] as const;

function program(mode: string): string[] {
  return ["--", comparePrograms(), mode];
}

function show(judgements: readonly (Judgement | undefined)[]): string {
  return judgements.map((each) =>
    each === undefined
      ? "not judged"
      : `${each.variant}: ${each.figure} ${each.verdict} ${each.ratio.median.toFixed(3)} ` +
        `(${each.ratio.low?.toFixed(3)} to ${each.ratio.high?.toFixed(3)})`
  ).join("; ");
}

test("a program that only computes takes the same time under each allocator", onLinux, async () => {
  const variants = variantsFile(VARIANTS);
  // What a larger library costs at the start is within the band.
  const result = await compared(
    ...[...ROUNDS, "--band", "5%", "--variants", variants],
    ...program("compute"),
  );
  const found = NAMES.flatMap((variant) =>
    TIMES.map((figure) => judgementOf(result, variant, figure))
  );
  for (const each of found) {
    assert.ok(each !== undefined, "each has a time");
    assert.ok(["same", "cannot tell"].includes(each.verdict), show(found));
  }
});

test(
  "a program whose threads free what others allocate is faster under jemalloc and mimalloc",
  onLinux,
  async () => {
    const variants = variantsFile(VARIANTS);
    const rounds = ["--rounds", "8"];
    const result = await compared(...rounds, "--variants", variants, ...program("threads"));
    for (const variant of NAMES) {
      const found = TIMES.map((figure) => judgementOf(result, variant, figure));
      // What else the machine does may widen the noise over it, and turns it around in none.
      assert.ok(found.every((each) => each !== undefined && each.verdict !== "worse"), show(found));
      assert.ok(found.some((each) => each !== undefined && each.ratio.median < 0.8), show(found));
    }
  },
);

/** What is resident at the end, and the most that was. */
const MEMORY: readonly FigureName[] = ["endBytes", "peakBytes"];

// mimalloc 2.0 keeps these blocks' pages whatever it is asked.
test(
  "a program whose heap is full of holes ends with less where they are given back at rest",
  onLinux,
  async () => {
    const names = THOROUGH ? ["jemalloc", "system"] : ["system"];
    const all = names.map((name) => ({ name, allocator: name, idleTrim: 200 }));
    const result = await compared(
      ...[...ROUNDS, "--variants", variantsFile([PLAIN, ...all])],
      ...program("fragments"),
    );
    for (const name of names) {
      const found = MEMORY.map((figure) => judgementOf(result, name, figure));
      assert.equal(found[0]?.verdict, "better", show(found));
      assert.ok((found[0]?.ratio.median ?? 1) < 0.5, show(found));
    }
    assert.equal(result.recommendation.variant, null, "the peak is what it was");
  },
);

test("a program that leaks has no allocator to be saved by", onLinux, async () => {
  const variants = variantsFile(VARIANTS);
  const result = await compared(
    ...[...ROUNDS, "--variants", variants],
    ...program("leak"),
  );
  for (const variant of NAMES) {
    const found = MEMORY.map((figure) => judgementOf(result, variant, figure));
    for (const each of found) {
      assert.ok(each !== undefined && each.verdict !== "better", show(found));
      assert.ok(each.ratio.median < 1.25, show(found));
    }
  }
  assert.equal(result.recommendation.variant, null);
});
