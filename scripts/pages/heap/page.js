/**
 * What runs in the page of a heap profile: the flame graph, its search, its choices. `npm run
 * build:pages` puts it, with d3-flame-graph, into `lib/watch/heap/page/script.ts`.
 */
import flamegraph from "d3-flame-graph";
import { select } from "d3-selection";

/** The profile as `lib/watch/heap/flame-graph.ts` has written it. */
const { frames, sets } = JSON.parse(document.getElementById("profile").textContent);
const chart = document.getElementById("chart");
const details = document.getElementById("details");
const choices = document.getElementById("choices");

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

function formatBytes(bytes) {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

/** The stacks as a tree, the outermost functions first. */
function treeOf({ stacks }, withRuntime) {
  const root = { name: "all", kind: "all", value: 0, children: [], byFrame: new Map() };
  for (const [bytes, ...stack] of stacks) {
    const shown = stack.filter((index) => withRuntime || frames[index][1] !== "runtime");
    if (shown.length === 0) shown.push(0);
    let node = root;
    node.value += bytes;
    for (const index of shown.reverse()) {
      let next = node.byFrame.get(index);
      if (next === undefined) {
        const [name, kind] = frames[index];
        next = { name, kind, value: 0, children: [], byFrame: new Map() };
        node.byFrame.set(index, next);
        node.children.push(next);
      }
      next.value += bytes;
      node = next;
    }
  }
  return root;
}

/** Colours by what a function is; neighbours of a kind differ a little. */
const HUES = { javascript: [36, 85, 62], native: [205, 60, 66], runtime: [220, 8, 76] };

function colour({ data: { name, kind }, highlight }) {
  if (highlight) return "#e05fc8";
  const [hue, saturation, lightness] = HUES[kind] ?? [220, 5, 84];
  let hash = 0;
  for (const character of name) hash = (hash * 31 + character.codePointAt(0)) >>> 0;
  return `hsl(${hue + hash % 15 - 7} ${saturation}% ${lightness + (hash >> 4) % 9 - 4}%)`;
}

function describe({ data: { name, value } }, total) {
  return `${name}: ${formatBytes(value)}, ${(100 * value / total).toFixed(1)} %`;
}

const IDLE = 'Tap a function to look closer, and "all" to go back.';

let graph;

function draw() {
  const set = sets[Number(choices.elements.source?.value ?? 0)];
  const tree = treeOf(set, choices.elements.runtime.checked);
  chart.replaceChildren();
  graph = flamegraph()
    .width(chart.clientWidth)
    .cellHeight(20)
    .minFrameSize(1)
    .transitionDuration(0)
    .inverted(true)
    .selfValue(false)
    .sort((a, b) => b.value - a.value)
    .getName((node) => node.data.name)
    .setColorMapper(colour)
    .setLabelHandler((node) => describe(node, tree.value))
    .setDetailsHandler((text) => {
      details.textContent = text ?? IDLE;
    })
    .onClick((node) => {
      details.textContent = describe(node, tree.value);
    });
  select(chart).datum(tree).call(graph);
  details.textContent = IDLE;
  search();
}

function search() {
  const { value } = choices.elements.search;
  if (value === "") graph.clear();
  else graph.search(value);
}

choices.addEventListener("submit", (event) => event.preventDefault());
choices.elements.search.addEventListener("input", search);
choices.elements.runtime.addEventListener("change", draw);
choices.elements.source?.addEventListener("change", draw);
let width = chart.clientWidth;
addEventListener("resize", () => {
  if (chart.clientWidth === width) return;
  width = chart.clientWidth;
  draw();
});
draw();
