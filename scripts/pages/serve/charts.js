/** Charts over time, by uPlot: of the page's own colours, and as wide as there is room. */
import uPlot from "uplot";
import { bytes, element } from "./dom.js";

const HEIGHT = 260;

/**
 * What has a colour of its own, by name: Okabe and Ito's, which colour-blind people can distinguish.
 * Two of them are lighter in the dark.
 */
const COLOURS = {
  files: "var(--brown)",
  shared: "#7a7a7a",
  javascript: "#56b4e9",
  runtime: "var(--blue)",
  live: "#009e73",
  fragmentation: "#cc79a7",
  held: "#d55e00",
  metadata: "#e69f00",
  committed: "#f0e442",
  rest: "#a0a0a0",
  RSS: "var(--text)",
};
const OTHERS = ["var(--blue)", "#d55e00", "#009e73", "#cc79a7"];

/** Steps of an axis of bytes. */
const BINARY = Array.from({ length: 44 }, (_, power) => 2 ** power);

const CLOCK = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});

function css(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function colourOf(name, index) {
  const found = COLOURS[name] ?? OTHERS[index % OTHERS.length];
  return found.startsWith("var(") ? css(found.slice(4, -1)) : found;
}

function axis(more) {
  const line = { stroke: css("--line"), width: 1 };
  return { stroke: css("--quiet"), grid: line, ticks: line, font: "12px system-ui", ...more };
}

/** What the legend shows: the value under the pointer, else the latest. */
function shown(values, index) {
  return values?.[index ?? values.length - 1];
}

/** A share of a whole. */
export function percent(value) {
  return value === null || value === undefined ? "–" : `${Math.round(100 * value)} %`;
}

/** A number of things in a second. */
export function rate(value) {
  if (value === null || value === undefined) return "–";
  return `${value >= 100 ? Math.round(value) : value.toFixed(1)}/s`;
}

/** Makes a chart in an element of its own. */
function chart(title, { format, series, bands = [] }) {
  const box = element("div", { class: "chart-box" });
  const section = element("section", {}, element("h3", {}, title), box);
  let drawn = null;
  const observer = new ResizeObserver(() => {
    if (drawn !== null && box.clientWidth > 0) {
      drawn.setSize({ width: box.clientWidth, height: HEIGHT });
    }
  });
  observer.observe(box);
  return {
    section,
    show(data) {
      if (drawn !== null) return drawn.setData(data);
      if (box.clientWidth === 0) return;
      const options = {
        width: box.clientWidth,
        height: HEIGHT,
        series: [
          { value: (_, at) => at === null ? "–" : CLOCK.format(new Date(at * 1000)) },
          ...series,
        ],
        bands,
        axes: [
          axis({
            space: 90,
            values: (_, ticks) => ticks.map((seconds) => CLOCK.format(new Date(seconds * 1000))),
          }),
          axis({
            size: 76,
            values: (_, ticks) => ticks.map(format),
            ...(format === bytes ? { incrs: BINARY } : {}),
          }),
        ],
        scales: { y: { range: (_, least, most) => [Math.min(0, least ?? 0), (most || 1) * 1.05] } },
        cursor: { drag: { x: false, y: false } },
      };
      drawn = new uPlot(options, data, box);
      const canvas = box.querySelector("canvas");
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `${title}, over time`);
    },
    close() {
      observer.disconnect();
      drawn?.destroy();
    },
  };
}

/** A chart of names that are known with its first figures, and drawn again when there are others. */
function chartOf(title, make) {
  const place = element("div", { class: "chart" });
  let drawn = null;
  let known = "";
  return {
    section: place,
    show(at, values) {
      const names = Object.keys(values);
      place.hidden = names.length === 0;
      if (names.length === 0) return;
      if (known !== names.join()) {
        drawn?.close();
        drawn = make(title, names);
        place.replaceChildren(drawn.section);
        known = names.join();
      }
      drawn.show(at, values);
    },
    close() {
      drawn?.close();
    },
  };
}

/** Lines, each by its name. */
export function lines(title, format) {
  return chartOf(title, (_, names) => linesOf(title, names, format));
}

/** Parts that are stacked, in the order that is given, and their sum as a line. */
export function stack(title, order) {
  return chartOf(title, (_, names) => stackOf(title, order.filter((name) => names.includes(name))));
}

function linesOf(title, names, format) {
  const latest = {};
  const series = names.map((name, index) => ({
    label: name,
    stroke: colourOf(name, index),
    width: 2,
    points: { show: false },
    value: (_, __, ___, at) => format(shown(latest[name], at)),
  }));
  const made = chart(title, { format, series });
  return {
    ...made,
    show(at, values) {
      Object.assign(latest, values);
      made.show([at, ...names.map((name) => values[name])]);
    },
  };
}

function stackOf(title, names) {
  const plain = new Map();
  const value = (name) => (_, __, ___, at) => bytes(shown(plain.get(name), at));
  const top = {
    label: "RSS",
    stroke: colourOf("RSS"),
    width: 2,
    points: { show: false },
    value: value("RSS"),
  };
  const areas = names.map((name, index) => ({
    label: name,
    stroke: colourOf(name, index),
    fill: `${colourOf(name, index)}99`,
    width: 1,
    points: { show: false },
    value: value(name),
  }));
  // The highest is drawn first, and each lower one over it.
  const order = areas.map((_, index) => index).reverse();
  const bands = order.slice(0, -1).map((_, index) => ({ series: [index + 1, index + 2] }));
  const made = chart(title, { format: bytes, series: [...order.map((i) => areas[i]), top], bands });
  return {
    ...made,
    show(at, parts) {
      const sums = at.map((_, index) =>
        Object.values(parts).reduce((sum, each) => sum + (each[index] ?? 0), 0)
      );
      for (const name of names) plain.set(name, parts[name]);
      plain.set("RSS", sums);
      let below = at.map(() => 0);
      const heights = names.map((name) =>
        below = below.map((height, index) => height + Math.max(0, parts[name]?.[index] ?? 0))
      );
      made.show([at, ...order.map((index) => heights[index]), sums]);
    },
  };
}
