/**
 * The page of a comparison in a real browser.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { after, test } from "node:test";
import { documentOf } from "../../lib/watch/compare/comparison.ts";
import { comparisonPage } from "../../lib/watch/compare/page.ts";
import type { Run } from "../../lib/watch/compare/types.ts";
import { CHROMIUM, endBrowser, withPage } from "../support/browser.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { skipUnless } from "../support/skip.ts";

const hasChromium = skipUnless(
  process.platform === "linux" && typeof CHROMIUM !== "string",
  typeof CHROMIUM === "string" ? CHROMIUM : "Chromium is started as on Linux",
);

const NAMES = ["system", "a variant with a name that is long enough to be wrapped", "jemalloc"];
const ROUNDS = 8;
/** The second is slower by half and the third has half the memory, in each round. */
const FACTORS = [[1, 1], [1.5, 1], [1, 0.5]] as const;

function runs(): Run[] {
  return Array.from(
    { length: ROUNDS },
    (_, round) =>
      [...NAMES, "system again"].map((variant, index): Run => {
        const [time, memory] = FACTORS[index] ?? FACTORS[0];
        const noise = 1 + (round * 7 + index * 5) % 11 / 500;
        return {
          variant,
          round: round + 1,
          figures: { wallSeconds: time * noise, peakBytes: memory * noise * 2 ** 28 },
          status: 0,
          signal: null,
        };
      }),
  ).flat();
}

const PAGE = comparisonPage(documentOf(
  {
    key: {
      command: ["node", `${"a_long_name_".repeat(12)}.ts`],
      variants: NAMES.map((name) => ({ name, words: [] })),
      program: {},
      seed: 1,
    },
    judging: { baseline: "system", band: 0.02, metricHigher: false },
    started: "2026-01-02T03:04:05.000Z",
    machine: { processor: "CPU", cores: 2, memoryBytes: 2 ** 33, kernel: "6.1", loadAverage: 0 },
  },
  {
    runs: runs(),
    curves: NAMES.map((variant, index) => ({
      variant,
      samples: Array.from({ length: 300 }, (_, at) => [at / 50, (index + 1) * at * 1e6] as const),
    })),
    leftOut: [],
    notes: [],
  },
  false,
));

/** Looks at the page from inside, once it is laid out. */
const LOOK = `(() => {
const box = (element) => element.getBoundingClientRect();
const all = (selector) => [...document.querySelectorAll(selector)];
const within = (inner, outer) =>
  inner.left >= outer.left - 6 && inner.right <= outer.right + 6 && inner.width >= 0;
return {
  overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  marks: all(".interval, .dot").length,
  outside: all(".track i").filter((mark) => !within(box(mark), box(mark.parentElement)))
    .map((mark) => mark.outerHTML),
  overlapping: all(".scale .track, .times").flatMap((scale) => {
    const ticks = [...scale.querySelectorAll("b")].map(box);
    return ticks.slice(1).filter((tick, index) => tick.left < ticks[index].right);
  }).length,
  columns: getComputedStyle(document.querySelector(".row")).gridTemplateColumns.split(" ").length,
  curves: all("polyline").map((line) => box(line).width > 100 && box(line).height > 20),
  worse: getComputedStyle(document.querySelector(".worse .dot")).backgroundColor,
  paper: getComputedStyle(document.body).backgroundColor,
  loaded: performance.getEntriesByType("resource").map(({ name }) => name),
};
})()`;

interface Seen {
  readonly overflow: number;
  readonly marks: number;
  readonly outside: readonly string[];
  readonly overlapping: number;
  readonly columns: number;
  readonly curves: readonly boolean[];
  readonly worse: string;
  readonly paper: string;
  readonly loaded: readonly string[];
}

const directory = temporaryDirectory();
const path = join(directory, "page.html");
writeFileSync(path, PAGE);
after(endBrowser);

function look(width: number, dark = false): Promise<Seen> {
  return withPage(async (page) => {
    await page.display({ width, height: 900, dark });
    await page.open(`file://${path}`);
    await page.until("document.querySelector('.worse .dot')", "a chart");
    return await page.evaluate<Seen>(LOOK);
  });
}

test(
  "the page fits a wide and a narrow window, with every mark in its track",
  hasChromium,
  async () => {
    for (const [width, columns] of [[1200, 3], [500, 1]] as const) {
      const seen = await look(width);
      assert.equal(seen.overflow, 0, `${width}: it is wider than the window`);
      assert.equal(seen.columns, columns, `${width}`);
      assert.deepEqual(seen.outside, [], `${width}`);
      assert.equal(seen.overlapping, 0, `${width}: ticks overlap`);
      assert.equal(seen.marks, 2 * 2 * NAMES.length, `${width}`);
      assert.deepEqual(seen.curves, NAMES.map(() => true), `${width}`);
      assert.deepEqual(seen.loaded, [], "nothing is loaded from anywhere");
    }
  },
);

test(
  "the page is dark where the reader's system is, and what is worse is red in both",
  hasChromium,
  async () => {
    const [light, dark] = [await look(1200), await look(1200, true)];
    assert.equal(light.paper, "rgb(255, 255, 255)");
    assert.notEqual(dark.paper, light.paper);
    for (const { worse } of [light, dark]) {
      const [red = 0, green = 0, blue = 0] = (worse.match(/\d+/g) ?? []).map(Number);
      assert.ok(red > green && red > blue, worse);
    }
  },
);
