/**
 * A profile as a flame graph: one page, nothing from elsewhere, light and dark, of any width.
 *
 * @module
 */
import { formatBytes } from "../../units.ts";
import { escaped } from "../html.ts";
import { functionName } from "./names.ts";
import { PAGE_SCRIPT } from "./page/script.ts";
import { PAGE_STYLE } from "./page/style.ts";
import { type FunctionRow, functionTable, RUNTIME_ALONE } from "./table.ts";
import type { HeapFrame, HeapProfile, HeapSource } from "./types.ts";
import { headline, reliability, remarks } from "./words.ts";

/** A function in the page: its name and its kind. */
type PageFrame = readonly [name: string, kind: HeapFrame["kind"]];

/** A stack in the page: its bytes, then the places of its functions, the innermost first. */
type PageStack = readonly number[];

/** What can be chosen. */
interface PageSet {
  readonly title: string;
  readonly stacks: readonly PageStack[];
}

const SETS: readonly { readonly title: string; readonly sources: readonly HeapSource[] }[] = [
  { title: "native memory", sources: ["malloc", "blocks"] },
  { title: "V8's objects", sources: ["javascript"] },
];

/** How many functions the table has. */
const ROWS = 25;

function pageData({ samples }: HeapProfile): { frames: PageFrame[]; sets: PageSet[] } {
  const frames: PageFrame[] = [];
  const places = new Map<string, number>();
  const placeOf = (frame: HeapFrame): number => {
    const name = functionName(frame);
    const known = places.get(name);
    if (known !== undefined) return known;
    places.set(name, frames.length);
    return frames.push([name, frame.kind]) - 1;
  };
  // The first is what the page shows where nothing else is left of a stack.
  placeOf(RUNTIME_ALONE);
  const sets = SETS.map(({ title, sources }) => {
    const stacks = new Map<string, [number, ...number[]]>();
    for (const { source, stack, inUse } of samples) {
      // A flame graph has no widths below 0: of a difference it shows what grew.
      if (!sources.includes(source) || inUse.bytes <= 0) continue;
      const own = stack.map(placeOf);
      const key = own.join();
      const known = stacks.get(key);
      if (known === undefined) stacks.set(key, [inUse.bytes, ...own]);
      else known[0] += inUse.bytes;
    }
    return {
      title,
      stacks: [...stacks.values()].map(([bytes, ...own]) => [Math.round(bytes), ...own]),
    };
  });
  return { frames, sets: sets.filter(({ stacks }, index) => index === 0 || stacks.length > 0) };
}

/** JSON that ends no element of a page. */
function inlineJson(value: unknown): string {
  return JSON.stringify(value).replaceAll("<", "\\u003c");
}

function sourceChoice(sets: readonly PageSet[]): string {
  if (sets.length < 2) return "";
  const options = sets.map(({ title }, index) => `<option value="${index}">${title}</option>`);
  return `<label>Show <select name="source">${options.join("")}</select></label>`;
}

function tableRow({ name, own, total, totalShare }: FunctionRow): string {
  return `<tr><td>${formatBytes(Math.round(own))}</td><td>${formatBytes(Math.round(total))}</td>` +
    `<td>${(100 * totalShare).toFixed(1)} %</td><td>${escaped(name)}</td></tr>`;
}

/** Writes the page. */
export function renderFlameGraph(profile: HeapProfile): string {
  const title = headline(profile);
  const data = pageData(profile);
  const rows = functionTable(profile).slice(0, ROWS);
  const difference = profile.samples.some(({ inUse }) => inUse.bytes < 0);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escaped(title)}</title>
<style>${PAGE_STYLE}</style>
<h1>${escaped(title)}</h1>
<p>${escaped(reliability(profile))}; ${
    new Date(profile.at).toISOString().slice(0, 19).replace("T", " ")
  } UTC</p>
${remarks(profile).map((text) => `<p>${escaped(text)}</p>`).join("\n")}
${difference ? "<p>The graph shows what grew; the table has both.</p>" : ""}
<form id="choices">
<label>Find <input name="search" type="search" autocomplete="off"></label>
<label><input name="runtime" type="checkbox"> with the runtime's own functions</label>
${sourceChoice(data.sets)}
</form>
<ul class="legend"><li class="javascript">JavaScript</li><li class="native">native code</li>` +
    `<li class="runtime">the runtime</li></ul>
<p id="details" aria-live="polite"></p>
<div id="chart"></div>
<h2>Functions</h2>
<div class="table"><table><thead><tr><th>own</th><th>with callees</th><th></th><th>function</th></tr>` +
    `</thead><tbody>
${rows.map(tableRow).join("\n")}
</tbody></table></div>
<script type="application/json" id="profile">${inlineJson(data)}</script>
<script>${PAGE_SCRIPT}</script>
</html>
`;
}
