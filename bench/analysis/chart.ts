/**
 * The chart in README: one picture with its own colours for light and dark.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { FORMS } from "../report/charts/plot.ts";
import { ratioChart, type RatioMark } from "../report/charts/ratios.ts";
import { maker, newDocument } from "../report/dom.ts";
import { METRIC_VIEWS, ratioRows } from "../report/figures.ts";
import { titlesOf } from "../report/numbers.ts";
import type { Results } from "../suite/results.ts";
import { BURST, PROFILE_SUBJECT } from "./bounds.ts";

const STYLE = new URL("../report/page.css", import.meta.url);
const AXIS = "÷ glibc’s in the same round (no unit); bars: intervals of the median";

/** The colours of the report's page, without its layout. */
function colours(): string {
  const rules = readFileSync(STYLE, "utf8").split("\nbody {")[0] ?? "";
  return `${rules}\nsvg { background: var(--paper); font-family: system-ui, sans-serif; }`;
}

function marksOf(results: Results): RatioMark[] {
  const titles = titlesOf(results);
  return METRIC_VIEWS.flatMap(({ metric, title }) =>
    ratioRows(results, metric)
      .filter(({ case: id, subject }) => id === BURST && PROFILE_SUBJECT.test(subject))
      .map(({ subject, ratio }) => ({
        group: metric === "throughput" ? `${title} (more is better)` : `${title} (less is better)`,
        label: titles.subject(subject),
        subject,
        ...ratio,
      }))
  );
}

/**
 * The burst of documents in Node under each profile, as an SVG file.
 *
 * @throws {Error} when the results lack that case.
 */
export function burstChart(results: Results): string {
  const marks = marksOf(results);
  const form = FORMS.find(({ name }) => name === "wide");
  if (marks.length === 0 || form === undefined) {
    throw new Error(`Cannot draw README's chart: the results lack the case ${BURST}`);
  }
  const document = newDocument();
  const label = `A burst of documents in Node 26 under each profile: ratios ${AXIS}`;
  const svg = ratioChart(document, form, label, AXIS, marks);
  svg.prepend(maker(document)("svg:style", {}, colours()));
  svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  return `${svg.outerHTML}\n`;
}
