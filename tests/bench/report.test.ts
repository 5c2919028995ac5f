import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { charts } from "../../bench/report/chart-list.ts";
import { lastIdleSamples, METRIC_VIEWS, phaseRows, splitRows } from "../../bench/report/figures.ts";
import { escapeCell, markdownReport, markdownTable } from "../../bench/report/markdown.ts";
import { intervalText, ratioText, short, timeText, valueText } from "../../bench/report/numbers.ts";
import { reportPage } from "../../bench/report/page.ts";
import { sentences } from "../../bench/report/sentences.ts";
import { allTables } from "../../bench/report/tables.ts";
import { writeReport } from "../../bench/report/write.ts";
import type { Results } from "../../bench/suite/results.ts";
import {
  readResults,
  RESULTS_FILE,
  SCHEMA_FILE,
  writeResults,
} from "../../bench/suite/results-file.ts";
import { SUBJECTS } from "../../bench/suite/subjects.ts";
import { escaped } from "../../lib/watch/html.ts";
import { COLOURS } from "../../lib/watch/compare/page-style.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { madeResults } from "../support/bench-results.ts";

const MADE = madeResults();
const PAGE = reportPage(MADE);
const HOSTILE = '<script>alert("1")</script> & | `x` <b>';

function withTitle(results: Results, title: string): Results {
  const subjects = results.subjects.map((one, i) => i === 1 ? { ...one, title } : one);
  return { ...results, subjects };
}

test("results are written with their schema, read again, and stay below 2 MB", () => {
  const directory = temporaryDirectory();
  writeResults(directory, MADE);
  assert.deepEqual(readResults(directory), MADE);
  assert.ok(statSync(join(directory, RESULTS_FILE)).size < 2e6);
  const schema: unknown = JSON.parse(readFileSync(join(directory, SCHEMA_FILE), "utf8"));
  assert.ok(typeof schema === "object" && schema !== null && "properties" in schema);
  assert.equal(MADE.$schema, `./${SCHEMA_FILE}`);
});

test("results that do not fit the schema are neither written nor read", () => {
  const directory = temporaryDirectory();
  const wrong = { ...MADE, mode: "fast" } as unknown as Results;
  assert.throws(() => writeResults(directory, wrong), /mode/);
  assert.throws(() => readResults(directory), /Cannot read results: ENOENT/);
  writeFileSync(join(directory, RESULTS_FILE), JSON.stringify(wrong));
  assert.throws(() => readResults(directory), /does not fit\n[^]*mode/);
});

test("the report is one page and one Markdown file", () => {
  const directory = temporaryDirectory();
  for (const file of writeReport(directory, MADE)) assert.ok(existsSync(file), file);
});

test("the page needs nothing from elsewhere, and no script", () => {
  assert.deepEqual(PAGE.match(/https?:\/\/(?!www\.w3\.org\/)[^"' )]*/g), null);
  assert.doesNotMatch(PAGE, /<script|<link|<img|@import|url\(|\son\w+=/);
  assert.match(PAGE, /<meta charset="utf-8">/);
});

test("each chart states its unit and its baseline, and has a text for who cannot see it", () => {
  const all = charts(MADE);
  const sections = new Set(all.map(({ section }) => section));
  assert.ok(sections.size >= METRIC_VIEWS.length + 3, [...sections].join());
  const names = new Set(allTables(MADE).map(({ name }) => name));
  const unit = /no unit|MiB|\(ns/;
  for (const { title, axis, table, html } of all) {
    assert.match(axis, unit, title);
    assert.match(axis, /system allocator/, title);
    assert.ok(names.has(table), `${title} has no table ${table}`);
    assert.match(html, /role="(group|img)" aria-label="[^"]*system allocator/, title);
    assert.doesNotMatch(html, /NaN|undefined|Infinity/, title);
    assert.doesNotMatch(html, /(background|stroke|color|--dot):(#|rgb)/, "colours are variables");
    assert.ok(PAGE.includes(html), `${title} is not on the page`);
  }
});

test("every colour variable has a value for light and for dark", () => {
  const css = readFileSync(new URL("../../bench/report/page.css", import.meta.url), "utf8");
  const parts = [COLOURS, css].map((text) => text.split("@media (prefers-color-scheme: dark)"));
  const named = (index: number): Set<string> =>
    new Set(
      parts.flatMap((part) =>
        [...(part[index] ?? "").matchAll(/(--[a-z0-9]+):/g)].map((match) => match[1] ?? "")
      ),
    );
  const light = named(0).add("--dot"); // a row's own
  const dark = named(1);
  const used = new Set(
    [...PAGE.matchAll(/var\((--[a-z0-9]+)\)/g)].map((match) => match[1] ?? ""),
  );
  for (const name of used) assert.ok(light.has(name), name);
  for (const name of ["--page", "--text", "--system", "--jemalloc", "--mimalloc"]) {
    assert.ok(dark.has(name), name);
  }
});

test("a table is beside each kind of chart", () => {
  for (const { title, rows } of allTables(MADE)) {
    assert.ok(rows.length > 0, title);
    assert.ok(PAGE.includes(escaped(title)), title);
  }
});

test("what a title holds stays text, in HTML and in Markdown", () => {
  const hostile = withTitle(MADE, HOSTILE);
  const page = reportPage(hostile);
  assert.doesNotMatch(page, /<script>alert|<b>/);
  assert.match(page, /&lt;script&gt;alert/);
  const escaped = escapeCell(HOSTILE);
  assert.equal(escaped, '\\<script\\>alert("1")\\</script\\> \\& \\| \\`x\\` \\<b\\>');
  assert.ok(markdownReport(hostile).includes(escaped));
  assert.equal(escapeCell("a\n b*_[]\\"), "a b\\*\\_\\[\\]\\\\");
});

test("a Markdown table has columns of one width, words left and figures right", () => {
  const table = {
    name: "t",
    title: "T",
    words: 1,
    head: ["a", "b"],
    rows: [["x", "1"], ["yyyy", "22"]],
  };
  assert.equal(
    markdownTable(table),
    "| a    |   b |\n| ---- | --: |\n| x    |   1 |\n| yyyy |  22 |",
  );
});

test("the sentences are made of the figures", () => {
  const [what, ...said] = sentences(MADE);
  assert.match(what ?? "", /554 runs of 10 cases under 15 .*Test CPU .*cover up to 93.75/);
  assert.equal(said.length, 3);
  const one = (subject: string, metric: string, middle: number, baseline = "system") => ({
    case: "documents-node26",
    subject,
    metric,
    unit: "s" as const,
    better: "lower" as const,
    value: 1,
    ratio: {
      baseline,
      median: middle,
      low: middle - 0.01,
      high: middle + 0.01,
      coverage: 0.9,
      pairs: 5,
    },
  });
  const [, throughput, memory, builds] = sentences({
    ...MADE,
    summary: [
      one("jemalloc-balanced", "throughput", 1.2),
      one("mimalloc-balanced", "throughput", 1.1),
      one("jemalloc-balanced", "idleResident", 0.6),
      one("mimalloc-balanced", "idleResident", 0.5),
      one("jemalloc-defaults", "wall", 1.02, "debian-jemalloc"),
    ],
  });
  assert.match(throughput ?? "", /jemalloc, balanced comes first with 1\.20 times/);
  assert.match(throughput ?? "", /\(in one case\)\. Of 1 intervals 1 are above 1, 0 below/);
  assert.match(memory ?? "", /mimalloc, balanced has the least, 0\.50 times/);
  assert.match(builds ?? "", /no build of ours took more than 1\.03 times.*ratio is 1\.02/);
});

test("a subject that was left out is in the report with its reason", () => {
  const missing = [{
    id: "debian-tcmalloc",
    title: "Debian's tcmalloc",
    reason: "no network here",
  }];
  const results = { ...MADE, missing };
  assert.match(reportPage(results), /Left out: Debian's tcmalloc: no network here/);
  assert.match(markdownReport(results), /left out: no network here/);
});

test("the parts of resident memory add up to it, whatever the counters say", () => {
  const rows = splitRows(MADE);
  assert.equal(rows.length, 5);
  const series = {
    time: [0, 500, 1000, 1500, 2000, 2500],
    resident: [9, 9, 100, 100, 100, 9],
    heap: [0, 0, 30, 30, 30, 0],
    external: [0, 0, 20, 20, 20, 0],
    live: [0, 0, 40, 40, 40, 0],
    held: [0, 0, 500, 500, 500, 0],
    phases: [{ name: "idle 1", start: 0 }, { name: "idle 2", start: 900 }, {
      name: "end",
      start: 2400,
    }],
  };
  assert.deepEqual(lastIdleSamples(series), [2, 3, 4]);
  const [run] = MADE.runs.filter(({ output }) => output.memory !== undefined);
  assert.ok(run !== undefined);
  const one = { ...MADE, runs: [{ ...run, output: { ...run.output, memory: series } }] };
  assert.deepEqual(splitRows(one).map(({ parts }) => parts), [
    { heap: 30, external: 20, live: 20, held: 30, rest: 0 },
  ]);
  assert.deepEqual(phaseRows(one).map(({ phase, greatest, last }) => [phase, greatest, last]), [
    ["idle 1", 9, 9],
    ["idle 2", 100, 100],
    ["end", 9, 9],
  ]);
});

test("figures are written with their units", () => {
  assert.equal(short(1234567), "1,234,567");
  assert.equal(short(0.012345), "0.0123");
  assert.equal(ratioText(1.2345), "1.23");
  assert.equal(ratioText(0.0123), "0.012");
  assert.equal(intervalText({ low: null, high: null }), "one pair");
  assert.equal(intervalText({ low: 0.5, high: 2 }), "0.50\u00a0to\u00a02.00");
  assert.equal(timeText(1500), "1.50\u00a0µs");
  assert.equal(timeText(0.5), "0.500\u00a0ns");
  assert.equal(valueText({ value: 3, unit: "1/s" }, "steps"), "3.00 steps/s");
  assert.equal(valueText({ value: 2 ** 20, unit: "B" }, ""), "1.00\u00a0MiB");
});

test("made results have every subject of the suite", () => {
  assert.deepEqual(MADE.subjects.map(({ id }) => id), SUBJECTS.map(({ id }) => id));
});
