/**
 * The report as one page: text, charts, tables; no script, and nothing from elsewhere.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { element, escaped } from "../../lib/watch/html.ts";
import { PAGE_STYLE } from "../../lib/watch/compare/page-style.ts";
import type { Results } from "../suite/results.ts";
import type { Chart, LegendEntry } from "./chart.ts";
import { charts } from "./chart-list.ts";
import { headline, sentences } from "./sentences.ts";
import type { Table } from "./table.ts";
import { allTables } from "./tables.ts";

const STYLE = new URL("./page.css", import.meta.url);

function tableElement({ title, head, rows, words }: Table, caption: boolean): string {
  const figure = (i: number): Record<string, string> => i < words ? {} : { class: "figure" };
  const headCells = head.map((text, i) =>
    element("th", { scope: "col", ...figure(i) }, escaped(text))
  );
  const bodyRows = rows.map((row) =>
    element("tr", {}, ...row.map((text, i) => element("td", figure(i), escaped(text))))
  );
  return element(
    "div",
    { class: "scroll" },
    element(
      "table",
      { "aria-label": title },
      caption ? element("caption", {}, escaped(title)) : "",
      element("thead", {}, element("tr", {}, ...headCells)),
      element("tbody", {}, ...bodyRows),
    ),
  );
}

function legendElement(entries: readonly LegendEntry[]): string {
  if (entries.length === 0) return "";
  const items = entries.map(({ sign, colour, title }) =>
    element("li", {}, element("span", { style: `color:${colour}` }, sign), ` ${escaped(title)}`)
  );
  return element("ul", { class: "legend" }, ...items);
}

function folded(table: Table): string {
  const summary = `The figures as a table (${table.rows.length} rows)`;
  return element("details", {}, element("summary", {}, summary), tableElement(table, true));
}

function figureElement({ title, note, axis, legend, html }: Chart): string {
  return element(
    "figure",
    {},
    element("h3", {}, escaped(title)),
    element("p", {}, escaped(note)),
    legendElement(legend),
    html,
    element("p", {}, escaped(axis)),
  );
}

/** Tables that are open at first, as they are small and no chart shows them. */
const OPEN: readonly string[] = ["overview", "builds", "cases", "subjects", "machine"];

function openTable(table: Table): string {
  return element("h2", {}, escaped(table.title)) + tableElement(table, false);
}

/** Makes the page. */
export function reportPage(results: Results): string {
  const tables = new Map(allTables(results).map((table) => [table.name, table]));
  const named = (names: readonly string[]): Table[] =>
    names.map((name) => tables.get(name)).filter((table) => table !== undefined);
  const [overview, ...others] = named(OPEN);
  const sections = [...Map.groupBy(charts(results), (chart) => chart.section)].map(
    ([section, members]) =>
      element("h2", {}, escaped(section)) + members.map(figureElement).join("\n") +
      named([...new Set(members.map(({ table }) => table))]).map(folded).join("\n"),
  );
  const title = escaped(headline(results));
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${PAGE_STYLE}${readFileSync(STYLE, "utf8")}</style>
<h1>${title}</h1>
${sentences(results).map((text) => element("p", { class: "said" }, escaped(text))).join("\n")}
${
    results.missing.map(({ title, reason }) =>
      element("p", {}, escaped(`Left out: ${title}: ${reason}`))
    ).join("\n")
  }
${overview === undefined ? "" : openTable(overview)}
${sections.join("\n")}
${others.map(openTable).join("\n")}
</html>
`;
}
