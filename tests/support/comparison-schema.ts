/**
 * What `offheap compare --json` prints, as a schema: the published one is made of it, and the tests
 * hold each comparison against it.
 *
 * @module
 */
import { z } from "zod";
import type { Comparison } from "../../lib/watch/compare/comparison.ts";
import { FIGURE_NAMES } from "../../lib/watch/compare/types.ts";

const Variant = z.string();
const Figure = z.enum(FIGURE_NAMES);
const Positive = z.number().int().positive();
const Seconds = z.number().nonnegative();

const Ratio = z.strictObject({
  median: z.number(),
  low: z.number().nullable(),
  high: z.number().nullable(),
  rounds: Positive,
});

const Judgement = z.strictObject({
  variant: Variant,
  figure: Figure,
  value: z.number(),
  ratio: Ratio,
  verdict: z.enum(["better", "worse", "same", "cannot tell"]),
  roundsNeeded: Positive.nullable(),
});

const Run = z.strictObject({
  variant: Variant,
  round: Positive,
  figures: z.partialRecord(Figure, z.number()),
  status: z.number().int().nullable(),
  signal: z.string().nullable(),
});

/** A comparison. Times are seconds, sizes bytes, ratios parts of 1. */
export const ComparisonSchema = z.strictObject({
  comparison: z.literal(1),
  offheap: z.string(),
  started: z.iso.datetime(),
  machine: z.strictObject({
    processor: z.string(),
    cores: Positive,
    memoryBytes: Positive,
    kernel: z.string(),
    loadAverage: z.number(),
  }),
  command: z.array(z.string()),
  variants: z.array(z.strictObject({ name: Variant, words: z.array(z.string()) })),
  program: z.record(z.string(), z.unknown()),
  seed: z.number().int(),
  judging: z.strictObject({ baseline: Variant, band: z.number(), metricHigher: z.boolean() }),
  interrupted: z.boolean(),
  rounds: z.number().int().nonnegative(),
  leftOut: z.array(z.strictObject({ variant: Variant, reason: z.string() })),
  notes: z.array(z.string()),
  statuses: z.array(z.string()),
  outcome: z.strictObject({
    judgements: z.array(Judgement),
    noise: z.array(z.strictObject({ figure: Figure, ratio: Ratio })),
  }),
  recommendation: z.strictObject({
    variant: Variant.nullable(),
    command: z.array(z.string()).nullable(),
    reason: z.string(),
  }),
  runs: z.array(Run),
  curves: z.array(z.strictObject({
    variant: Variant,
    samples: z.array(z.tuple([Seconds, z.number().nonnegative()])),
  })),
}) satisfies z.ZodType<Comparison>;
