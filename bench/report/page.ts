/**
 * The report as one page: text, charts as SVG, tables; no script, and nothing from elsewhere.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import type { Results } from "../suite/results.ts";
import { type Chart, charts, type LegendEntry } from "./chart-list.ts";
import { FORMS } from "./charts/plot.ts";
import { type Document, type Element, maker, newDocument } from "./dom.ts";
import { headline, sentences } from "./sentences.ts";
import type { Table } from "./table.ts";
import { allTables } from "./tables.ts";

const STYLE = new URL("./page.css", import.meta.url);

function tableElement(document: Document, table: Table, caption: boolean): Element {
  const { title, head, rows, words } = table;
  const h = maker(document);
  const cell = (name: string) => (text: string, i: number): Element =>
    h(name, i < words ? {} : { class: "figure" }, text);
  const headCell = (text: string, i: number): Element =>
    h("th", i < words ? { scope: "col" } : { scope: "col", class: "figure" }, text);
  return h(
    "div",
    { class: "scroll" },
    h(
      "table",
      { "aria-label": title },
      ...(caption ? [h("caption", {}, title)] : []),
      h("thead", {}, h("tr", {}, ...head.map(headCell))),
      h("tbody", {}, ...rows.map((row) => h("tr", {}, ...row.map(cell("td"))))),
    ),
  );
}

const SIGN = { width: 26, height: 12 } as const;

function signElement(document: Document, { sign, colour }: LegendEntry): Element {
  const h = maker(document);
  if (typeof sign === "object" && "text" in sign) return h("span", {}, `${sign.text} `);
  const size = { width: `${SIGN.width}`, height: `${SIGN.height}`, "aria-hidden": "true" };
  const middle = `${SIGN.height / 2}`;
  const shape = sign === "square"
    ? h("svg:rect", {
      x: "7",
      y: "0",
      width: `${SIGN.height}`,
      height: `${SIGN.height}`,
      fill: colour,
    })
    : h("svg:line", {
      x1: "0",
      x2: `${SIGN.width}`,
      y1: middle,
      y2: middle,
      stroke: colour,
      "stroke-width": "2.5",
      "stroke-dasharray": sign.dash,
    });
  return h("svg:svg", size, shape);
}

function legendElement(document: Document, entries: readonly LegendEntry[]): Element[] {
  if (entries.length === 0) return [];
  const h = maker(document);
  const items = entries.map((entry) => h("li", {}, signElement(document, entry), entry.title));
  return [h("ul", { class: "legend" }, ...items)];
}

function folded(document: Document, table: Table): Element {
  const h = maker(document);
  const summary = h("summary", {}, `The figures as a table (${table.rows.length} rows)`);
  return h("details", {}, summary, tableElement(document, table, true));
}

function figureElement(document: Document, chart: Chart): Element {
  const h = maker(document);
  return h(
    "figure",
    {},
    h("h3", {}, chart.title),
    h("p", { class: "note" }, chart.note),
    ...legendElement(document, chart.legend),
    ...FORMS.map((form) => h("div", { class: form.name }, chart.draw(document, form))),
  );
}

/** Tables that are open at first, as they are small and no chart shows them. */
const OPEN: readonly string[] = ["overview", "builds", "cases", "subjects", "machine"];

function openTable(document: Document, table: Table): Element[] {
  return [maker(document)("h2", {}, table.title), tableElement(document, table, false)];
}

/** Makes the page. */
export function reportPage(results: Results): string {
  const document = newDocument();
  const h = maker(document);
  const tables = new Map(allTables(results).map((table) => [table.name, table]));
  const open = OPEN.map((name) => tables.get(name)).filter((table) => table !== undefined);
  const [overview, ...others] = open;
  document.head.append(
    h("meta", { charset: "utf-8" }),
    h("meta", { name: "viewport", content: "width=device-width, initial-scale=1" }),
    h("meta", { name: "color-scheme", content: "light dark" }),
    h("title", {}, headline(results)),
    h("style", {}, readFileSync(STYLE, "utf8")),
  );
  document.body.append(
    h("h1", {}, headline(results)),
    ...sentences(results).map((text) => h("p", {}, text)),
    ...results.missing.map(({ title, reason }) =>
      h("p", { class: "note" }, `Left out: ${title}: ${reason}`)
    ),
    ...(overview === undefined ? [] : openTable(document, overview)),
  );
  for (const [section, members] of Map.groupBy(charts(results), (chart) => chart.section)) {
    const names = [...new Set(members.map(({ table }) => table))];
    document.body.append(
      h("h2", {}, section),
      ...members.map((chart) => figureElement(document, chart)),
      ...names.map((name) => tables.get(name)).filter((table) => table !== undefined)
        .map((table) => folded(document, table)),
    );
  }
  for (const table of others) document.body.append(...openTable(document, table));
  return `${document.toString()}\n`;
}
