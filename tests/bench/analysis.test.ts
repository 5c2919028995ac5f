import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { COMMITTED, filesFrom } from "../../bench/analysis.ts";
import { BOUNDS, judge, judgeAll } from "../../bench/analysis/bounds.ts";
import { burstChart } from "../../bench/analysis/chart.ts";
import { asChange, CLAIMS } from "../../bench/analysis/claims.ts";
import { noiseTable } from "../../bench/analysis/noise.ts";
import { PARTS } from "../../bench/analysis/parts.ts";
import { withoutPlaces } from "../../bench/suite/collect.ts";
import type { Results, SummaryRow } from "../../bench/suite/results.ts";
import { readResults } from "../../bench/suite/results-file.ts";
import { madeResults } from "../support/bench-results.ts";
import { ROOT } from "../support/runtime.ts";

/** Results whose only rows are ratios of one subject, by case: median, and the interval's ends. */
function resultsWith(
  metric: string,
  subject: string,
  ratios: Readonly<Record<string, readonly [number, number, number]>>,
): Results {
  const summary = Object.entries(ratios).map(([id, [median, low, high]]): SummaryRow => ({
    case: id,
    subject,
    metric,
    unit: "1/s",
    better: "higher",
    value: 1,
    ratio: { baseline: "system", median, low, high, coverage: 0.9375, pairs: 5 },
  }));
  return { ...madeResults(), summary };
}

function boundOf(text: RegExp) {
  const bound = BOUNDS.find((one) => text.test(one.text));
  assert.ok(bound !== undefined);
  return bound;
}

test("a bound for every case holds, is within the interval, or is broken", () => {
  const bound = boundOf(/loses 3 % to glibc/);
  const outcome = (ratio: readonly [number, number, number]) =>
    judge(
      resultsWith("throughput", "jemalloc-throughput", {
        "native-small": ratio,
        "agents-deno": [1.3, 1.2, 1.4],
      }),
      bound,
      "jemalloc",
    );
  assert.equal(outcome([0.97, 0.9, 1]).outcome, "holds");
  assert.equal(outcome([0.96, 0.9, 1]).outcome, "noise");
  const broken = outcome([0.9, 0.88, 0.96]);
  assert.equal(broken.outcome, "broken");
  assert.equal(broken.deciding?.case, "native-small");
  assert.deepEqual(broken.beyond.map((row) => row.case), ["native-small"]);
});

test("the noise is the system's allocator over itself: the middle, and both ends with their cases", () => {
  const again = {
    "native-small": [1.1, 1, 1.2],
    "documents-node26": [0.9, 0.8, 1],
    "agents-node26": [1.02, 1, 1.1],
  } as const;
  const { rows } = noiseTable(resultsWith("throughput", "system-again", again));
  const titles = madeResults().cases;
  const title = (id: string) => titles.find((one) => one.id === id)?.title ?? id;
  assert.deepEqual(rows, [[
    "Throughput",
    "3",
    "1.02",
    `0.90 (0.80\u00a0to\u00a01.00), ${title("documents-node26")}`,
    `1.10 (1.00\u00a0to\u00a01.20), ${title("native-small")}`,
  ]]);
  assert.deepEqual(noiseTable(resultsWith("throughput", "jemalloc-balanced", again)).rows, []);
});

test("a bound of memory is from above, and only in its case", () => {
  const bound = boundOf(/60 % of glibc/);
  const results = resultsWith("idleResident", "jemalloc-low-memory", {
    "documents-node26": [0.59, 0.58, 0.6],
    "documents-deno": [0.9, 0.9, 0.9],
  });
  assert.equal(judge(results, bound, "jemalloc").outcome, "holds");
  assert.equal(judge(results, bound, "mimalloc").outcome, "not measured");
});

test("a bound for some case takes the best one, and the control counts nowhere", () => {
  const bound = boundOf(/wins 20 %/);
  const with_ = (id: string) =>
    judge(
      resultsWith("throughput", "mimalloc-throughput", {
        [id]: [1.5, 1.4, 1.6],
        "native-large": [0.5, 0.4, 0.6],
      }),
      bound,
      "mimalloc",
    );
  assert.equal(with_("native-small").outcome, "holds");
  assert.equal(with_("native-small").deciding?.case, "native-small");
  assert.equal(with_("native-none").outcome, "broken");
});

test("every claim is answered: measured with its figures, or not measurable", () => {
  const results = madeResults();
  for (const { said, answer } of CLAIMS) {
    assert.match(answer(results), /^(measured here|not measurable here): /, said);
  }
  const linux = CLAIMS.filter(({ said }) => /Linux/.test(said));
  for (const { answer } of linux) assert.match(answer(results), /\d/);
  assert.deepEqual([0.79, 1.08, 1.001].map(asChange), ["21 % less", "8 % more", "no change"]);
});

test("every part can be made of results, and its tables are whole", () => {
  const results = madeResults();
  for (const [name, make] of Object.entries(PARTS)) {
    const text = make(results);
    assert.ok(text.length > 10, name);
    assert.doesNotMatch(text, /undefined|NaN|\[object/, name);
    for (const block of text.split("\n\n").filter((part) => part.startsWith("|"))) {
      const bars = block.split("\n").map((line) => line.replaceAll("\\|", "").split("|").length);
      assert.equal(new Set(bars).size, 1, `${name}: ${block}`);
    }
  }
  assert.equal(judgeAll(results).length, 2 * BOUNDS.length);
});

test("README's chart is one picture with colours for light and dark, and says its unit", () => {
  const chart = burstChart(madeResults());
  assert.match(chart, /^<svg [^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
  assert.match(chart, /prefers-color-scheme: dark/);
  assert.match(chart, /less is better/);
  assert.match(chart, /glibc/);
  assert.doesNotMatch(chart.replaceAll("http://www.w3.org", ""), /https?:/);
});

test("documents have the figures of the committed results, and those are of a full run", () => {
  const results = readResults(COMMITTED);
  assert.equal(results.mode, "full");
  for (const [path, text] of filesFrom(results)) {
    assert.equal(
      readFileSync(join(ROOT, path), "utf8"),
      text,
      `${path}: run npm run bench:analysis`,
    );
  }
});

test("a run names the object that served it by its place in the checkout", () => {
  const [run] = madeResults().runs;
  assert.ok(run !== undefined);
  const object = `mallctl is at 0x7f12ab in "${ROOT}build/lib.so"`;
  const output = { ...run.output, servedBy: { ...run.output.servedBy, object } };
  const { servedBy } = withoutPlaces({ ...run, output }).output;
  assert.equal(servedBy.object, 'mallctl is at 0x… in "build/lib.so"');
});

test("nothing in the committed results shows the machine's directories", () => {
  const text = readFileSync(join(COMMITTED, "results.json"), "utf8");
  assert.doesNotMatch(text, /"\/(?!proc\/|usr\/|lib\/)|\/home\/|\/root\/|\/tmp\//);
});
