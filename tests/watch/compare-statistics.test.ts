/**
 * What a comparison says of figures whose truth is known, from simulated runs.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { AGAIN, judge, type Outcome, widestInterval } from "../../lib/watch/compare/judge.ts";
import { orderOf, seeded } from "../../lib/watch/compare/order.ts";
import { pairedRatios } from "../../lib/watch/compare/pairs.ts";
import { recommend } from "../../lib/watch/compare/recommend.ts";
import {
  chanceOfNoDifference,
  estimate,
  estimateRatio,
  holm,
  roundsToFind,
} from "../../lib/watch/compare/statistics.ts";
import type { Judgement, Run } from "../../lib/watch/compare/types.ts";

/** A number of the normal distribution, by Box and Muller. */
function gauss(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

const OPTIONS = { baseline: "base", band: 0.02, metricHigher: false };
const SEEDS = 100;
const ROUNDS = 10;
/** What the rounds differ by together, and what is left between two runs of a round. */
const DRIFT = 0.1;
const NOISE = 0.02;

/** Runs in which one variant differs by factors, and another by nothing. */
function simulate(seed: number, wall: number, memory: number): Run[] {
  const random = seeded(seed);
  const runs: Run[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    const drift = Math.exp(DRIFT * gauss(random));
    for (const variant of ["base", `base${AGAIN}`, "other", "equal"]) {
      const [slower, larger] = variant === "other" ? [wall, memory] : [1, 1];
      const noisy = (factor: number): number => drift * factor * Math.exp(NOISE * gauss(random));
      const figures = { wallSeconds: noisy(slower), peakBytes: 1e8 * noisy(larger) };
      runs.push({ variant, round, figures, status: 0, signal: null });
    }
  }
  return runs;
}

function judgementsOf(seed: number, wall: number, memory: number): readonly Judgement[] {
  return judge(simulate(seed, wall, memory), ["base", "other", "equal"], OPTIONS).judgements;
}

test("nothing is found where nothing differs, in at least 95 of 100 comparisons", () => {
  const calm = Array.from({ length: SEEDS }, (_, seed) => judgementsOf(seed, 1, 1))
    .filter((all) => all.every(({ verdict }) => verdict === "same" || verdict === "cannot tell"));
  assert.ok(calm.length >= 95, `${calm.length} of ${SEEDS}`);
});

test("where the baseline did not run twice its noise is unknown, and nothing differs for certain", () => {
  const runs = simulate(1, 1.5, 2);
  const judged = (some: readonly Run[]) => judge(some, ["base", "other", "equal"], OPTIONS);
  assert.ok(judged(runs).judgements.some(({ verdict }) => verdict === "worse"));
  const { judgements, noise } = judged(runs.filter(({ variant }) => variant !== `base${AGAIN}`));
  assert.deepEqual(noise, []);
  assert.deepEqual(judgements.filter(({ verdict }) => /better|worse/.test(verdict)), []);
});

test("the widest interval is that of the figures asked for, by its farther end", () => {
  const judgement = (figure: Judgement["figure"], low: number | null, high: number | null) => ({
    variant: "other",
    figure,
    value: 1,
    ratio: { median: 2, low, high, rounds: 6 },
    verdict: "same" as const,
    roundsNeeded: null,
  });
  const widest = (...judgements: Outcome["judgements"]) =>
    widestInterval({ judgements, noise: [] }, ["wallSeconds"]);
  assert.equal(widest(), 0);
  assert.equal(widest(judgement("wallSeconds", 1.5, 2.1), judgement("peakBytes", 0, 9)), 0.25);
  assert.equal(widest(judgement("wallSeconds", 1.9, 2.5), judgement("wallSeconds", 2, 2)), 0.25);
  assert.equal(widest(judgement("wallSeconds", null, null)), Infinity);
});

test("5 % more time and 10 % more memory are found in at least 90 of 100 comparisons", () => {
  const worse = { wallSeconds: 0, peakBytes: 0 };
  for (let seed = 0; seed < SEEDS; seed++) {
    for (const { variant, figure, verdict } of judgementsOf(seed, 1.05, 1.1)) {
      if (variant !== "other" || verdict !== "worse") continue;
      if (figure === "wallSeconds" || figure === "peakBytes") worse[figure]++;
    }
  }
  assert.ok(worse.wallSeconds >= 90, `time: ${worse.wallSeconds} of ${SEEDS}`);
  assert.ok(worse.peakBytes >= 90, `memory: ${worse.peakBytes} of ${SEEDS}`);
});

test("less is better of what costs, and more of a metric that is said to be better when higher", () => {
  const runs = simulate(1, 0.8, 1).map((run) => ({
    ...run,
    figures: { ...run.figures, metric: 1 / (run.figures.wallSeconds ?? 1) },
  }));
  const verdictOf = (metricHigher: boolean, figure: string): string | undefined =>
    judge(runs, ["base", "other"], { ...OPTIONS, metricHigher }).judgements
      .find((each) => each.figure === figure)?.verdict;
  assert.equal(verdictOf(false, "wallSeconds"), "better");
  assert.equal(verdictOf(true, "metric"), "better");
  assert.equal(verdictOf(false, "metric"), "worse");
});

test("the interval is that of Wilcoxon's test: the published critical value for 10 pairs", () => {
  // 8 is the largest sum of ranks that is significant at 5 % for 10 pairs, two-sided.
  const ratios = Array.from({ length: 10 }, (_, index) => Math.exp((index + 1) / 100));
  const averages = ratios.flatMap((_, i) =>
    Array.from({ length: 10 - i }, (_, j) => (2 * i + j + 2) / 200)
  ).sort((a, b) => a - b);
  const { low, high, median } = estimateRatio(ratios);
  assert.ok(Math.abs(Math.log(low ?? 0) - (averages[8] ?? 0)) < 1e-12);
  assert.ok(Math.abs(Math.log(high ?? 0) - (averages.at(-9) ?? 0)) < 1e-12);
  assert.ok(Math.abs(Math.log(median) - 0.055) < 1e-12);
});

test("the chance of no difference is exact: all of n pairs on one side are 2 in 2^n", () => {
  for (const rounds of [5, 6, 10]) {
    const ratios = Array.from({ length: rounds }, (_, index) => 1.1 + index / 100);
    assert.ok(Math.abs(chanceOfNoDifference(ratios) - 2 / 2 ** rounds) < 1e-12);
  }
  assert.equal(chanceOfNoDifference([1, 1, 1, 1, 1, 1]), 1);
});

test("too few rounds have no interval, and nothing can be told of them", () => {
  const runs = simulate(3, 2, 2).filter(({ round }) => round < 6);
  for (
    const { ratio, verdict, roundsNeeded } of judge(runs, ["base", "other"], OPTIONS).judgements
  ) {
    assert.equal(verdict, "cannot tell");
    assert.deepEqual([ratio.low, ratio.high, roundsNeeded], [null, null, null]);
  }
});

test("where nothing can be told, it is said how many rounds would be needed", () => {
  const neededFor = (one: number, other: number): unknown[] => {
    const runs = Array.from(
      { length: 12 },
      (_, round) =>
        [["base", 1], [`base${AGAIN}`, 1], ["other", round % 2 === 0 ? one : other]] as const,
    )
      .flatMap((row, round) =>
        row.map(([variant, wallSeconds]): Run => ({
          variant,
          round,
          figures: { wallSeconds },
          status: 0,
          signal: null,
        }))
      );
    return judge(runs, ["base", "other"], OPTIONS).judgements
      .map(({ verdict, roundsNeeded }) => [verdict, roundsNeeded]);
  };
  // Half the interval is 0.08, and has to fit beside the middle, 0.9968, into the band of 0.02.
  assert.deepEqual(neededFor(0.92, 1.08), [[
    "cannot tell",
    Math.ceil(12 * (0.08 / 0.016795) ** 2),
  ]]);
  // Half is 0.2, and must not reach from the middle, 1.0817, to 1.
  assert.deepEqual(neededFor(0.9, 1.3), [["cannot tell", Math.ceil(12 * (0.2 / 0.081665) ** 2)]]);
  assert.deepEqual(neededFor(0.5, 2), [["cannot tell", null]], "more than anybody would run");
});

test("with as many rounds as it takes all signs alike are found, with one less they are not", () => {
  for (const variants of [1, 3, 12]) {
    const least = (rounds: number): boolean =>
      holm(Array.from({ length: variants }, () => 2 / 2 ** rounds)).includes(true);
    assert.ok(least(roundsToFind(variants)), `${variants} variants`);
    assert.ok(!least(roundsToFind(variants) - 1), `${variants} variants`);
  }
});

test("an estimate has its coverage: five ratios from the least to the greatest, six 95 %", () => {
  const single = { median: 3, low: null, high: null, coverage: 0, count: 1 };
  assert.deepEqual(estimate([3]), { ...single, median: Math.exp(Math.log(3)) });
  const rounded = (values: readonly number[]) => {
    const { median, low, high, ...rest } = estimate(values);
    return { ...rest, ends: [low, median, high].map((each) => each?.toFixed(6)) };
  };
  // Of n values, least to greatest: 1 - 2 / 2^n.
  assert.deepEqual(rounded([4, 1, 2]), {
    coverage: 0.75,
    count: 3,
    ends: ["1.000000", "2.000000", "4.000000"],
  });
  assert.equal(estimate([5, 1, 4, 2, 3]).coverage, 0.9375);
  assert.equal(estimate([5, 1, 4, 2, 3, 6]).coverage, 0.96875);
  assert.throws(() => estimate([]), /there are no rounds/);
});

test("ratios are of the same round, and a value of 0 has none", () => {
  const own = new Map([[1, 4], [2, 9], [3, 5]]);
  assert.deepEqual(pairedRatios(own, new Map([[2, 3], [1, 2]])), [2, 3]);
  assert.deepEqual(pairedRatios(own, new Map([[1, 0]])), []);
  assert.deepEqual(pairedRatios(own, new Map()), []);
});

test("Holm's procedure asks more of each test the more there are", () => {
  assert.deepEqual(holm([0.04]), [true]);
  assert.deepEqual(holm([0.04, 0.9]), [false, false]);
  assert.deepEqual(holm([0.04, 0.02, 0.9]), [false, false, false]);
  assert.deepEqual(holm([0.04, 0.01, 0.02]), [true, true, true]);
});

test("a difference that the baseline shows against itself does not count", () => {
  const runs = simulate(5, 1.05, 1.05).map((run) => {
    const factor = run.variant.endsWith(AGAIN) ? 1.2 : 1;
    const { wallSeconds = 0 } = run.figures;
    return { ...run, figures: { wallSeconds: wallSeconds * factor } };
  });
  for (const { verdict } of judge(runs, ["base", "other"], OPTIONS).judgements) {
    assert.equal(verdict, "cannot tell");
  }
});

test("less memory is recommended unless it is slower by 3 %, and more than the noise", () => {
  const key = {
    command: ["node", "job.js"],
    variants: [
      { name: "base", words: [] },
      { name: "other", words: ["offheap", "run", "-a", "jemalloc", "--"] },
    ],
    program: {},
    seed: 1,
  };
  /** What the second run of the baseline and the other variant take longer than the baseline. */
  const recommended = (again: number, other: number) => {
    const runs = simulate(2, other, 0.5).map((run) => {
      const { wallSeconds = 0, ...rest } = run.figures;
      // Now above, now below: noise has no direction.
      const factor = run.variant.endsWith(AGAIN) ? again ** (run.round % 2 === 0 ? 1 : -1) : 1;
      return { ...run, figures: { ...rest, wallSeconds: wallSeconds * factor } };
    }).filter(({ variant }) => variant !== "equal");
    return recommend(judge(runs, ["base", "other"], OPTIONS), key, OPTIONS);
  };
  const { command, reason } = recommended(1, 1);
  assert.deepEqual(command, ["offheap", "run", "-a", "jemalloc", "--", "node", "job.js"]);
  assert.match(reason, /^Take other: least peak memory among those not slower by more than 3 %/);
  assert.equal(recommended(1, 1.1).variant, null);
  assert.match(recommended(1, 1.1).reason, /^Stay with base: what has less is slower: other \(/);
  assert.equal(recommended(1.3, 1.1).variant, "other", "this machine shows as much of nothing");
});

test("a figure that is 0 in a round gives no ratio", () => {
  const runs = simulate(1, 1, 1).map((run) => ({
    ...run,
    figures: { pageFaults: run.round === 4 ? 0 : 10 },
  }));
  assert.deepEqual(judge(runs, ["base", "other"], OPTIONS), { judgements: [], noise: [] });
});

test("each variant has each place once in as many rounds as there are variants", () => {
  const variants = ["a", "b", "c", "d", "e"];
  for (const seed of [1, 2, 3]) {
    for (const block of [0, 1, 2]) {
      const rounds = variants.map((_, index) =>
        orderOf(variants, block * variants.length + index + 1, seed)
      );
      for (const place of variants.keys()) {
        assert.deepEqual(rounds.map((order) => order[place]).sort(), variants);
      }
    }
  }
  const orders = (seed: number): string =>
    Array.from({ length: 20 }, (_, round) => orderOf(variants, round + 1, seed).join("")).join();
  assert.equal(orders(7), orders(7));
  assert.notEqual(orders(7), orders(8));
});
