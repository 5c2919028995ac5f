/** The processes of the machine. */
import { call } from "./api.js";
import { bytes, element, setText, toneOf } from "./dom.js";

/** The columns: what is sorted by, and what is shown. */
const COLUMNS = [
  { head: "process", class: "name", key: ({ program }) => program },
  { head: "allocator", key: ({ allocator }) => allocator },
  {
    head: "RSS",
    class: "number",
    key: ({ resident }) => -resident,
    text: ({ resident }) => bytes(resident),
  },
  {
    head: "allocated",
    class: "number",
    key: ({ allocated }) => -(allocated ?? -1),
    text: ({ allocated }) => bytes(allocated),
  },
  {
    head: "held back",
    class: "number",
    key: ({ heldBack }) => -(heldBack ?? -1),
    text: ({ heldBack }) => bytes(heldBack),
  },
  { head: "of its limit", class: "number", key: (each) => -nearest(each), text: limitText },
  { head: "verdict", class: "words", key: ({ finding }) => finding.verdict },
];

function nearest({ limits }) {
  return Math.max(0, ...limits.map(({ used, limit }) => used / limit));
}

function limitText(process) {
  return process.limits.length === 0 ? "–" : `${Math.round(100 * nearest(process))} %`;
}

function newRow(process) {
  const cells = COLUMNS.map((column) => {
    const cell = element("td", { class: column.class ?? "" });
    if (column.text !== undefined) cell.dataset.head = column.head;
    return cell;
  });
  const link = element("a", { href: `#/process/${process.pid}` });
  const pid = element("span", { class: "pid" }, ` ${process.pid}`);
  cells[0].append(link, pid);
  const allocator = element("span");
  const mark = element("span", { class: "mark" });
  cells[1].append(allocator, " ", mark);
  const verdict = element("span");
  cells.at(-1).append(verdict);
  return { row: element("tr", {}, ...cells), cells, link, allocator, mark, verdict };
}

/** Whether a process is served by what it was to be served by, in a word. */
function markOf({ lost, verified, agent }) {
  if (lost) return ["preload lost", "bad"];
  if (verified) return ["proven", "good"];
  return [agent ? "" : "no agent", "quiet"];
}

function fill(made, process) {
  setText(made.link, process.program);
  made.link.title = process.command;
  setText(made.allocator, process.allocator);
  const [word, tone] = markOf(process);
  setText(made.mark, word);
  made.mark.className = `mark ${tone}`;
  for (const [index, { text }] of COLUMNS.entries()) {
    if (text !== undefined) setText(made.cells[index], text(process));
  }
  setText(made.verdict, process.finding.verdict + (process.short ? ", memory is short" : ""));
  made.verdict.className = process.short ? "bad" : toneOf(process.finding.verdict);
  made.verdict.title = process.finding.because;
}

/** The list: sorted by a column, and filtered by words. */
export function listView() {
  const rows = new Map();
  const body = element("tbody");
  let sorted = COLUMNS.findIndex(({ head }) => head === "RSS");
  let processes = [];
  const heads = COLUMNS.map((column, index) => {
    const button = element("button", { type: "button" }, column.head);
    button.addEventListener("click", () => {
      sorted = index;
      draw(true);
    });
    return element("th", { scope: "col", class: column.class ?? "" }, button);
  });
  const filter = element("input", {
    type: "search",
    name: "filter",
    autocomplete: "off",
    placeholder: "name, allocator, verdict",
  });
  filter.addEventListener("input", () => draw(true));
  const root = element(
    "section",
    { "aria-label": "processes" },
    element("div", { class: "tools" }, element("label", {}, "Find ", filter)),
    element("table", { class: "list" }, element("thead", {}, element("tr", {}, ...heads)), body),
  );

  function fits({ program, allocator, finding, command, pid }) {
    const text = [program, allocator, finding.verdict, command, pid].join(" ").toLowerCase();
    return filter.value.toLowerCase().split(/\s+/).every((word) => text.includes(word));
  }

  function draw(mayMove) {
    heads.forEach((head, index) =>
      index === sorted
        // Of numbers the largest comes first.
        ? head.setAttribute(
          "aria-sort",
          COLUMNS[index].class === "number" ? "descending" : "ascending",
        )
        : head.removeAttribute("aria-sort")
    );
    const { key } = COLUMNS[sorted];
    const shown = processes.filter(fits).toSorted((a, b) => {
      const [first, second] = [key(a), key(b)];
      return first < second ? -1 : first > second ? 1 : a.pid - b.pid;
    });
    const wanted = new Set(shown.map(({ pid }) => pid));
    for (const [pid, { row }] of rows) {
      if (wanted.has(pid)) continue;
      row.remove();
      rows.delete(pid);
    }
    for (const process of shown) {
      const made = rows.get(process.pid) ?? newRow(process);
      fill(made, process);
      rows.set(process.pid, made);
    }
    // A row under somebody's finger or focus stays where it is.
    const held = body.contains(document.activeElement);
    if (!held || mayMove) body.replaceChildren(...shown.map(({ pid }) => rows.get(pid).row));
    else {for (const { pid } of shown) {
        if (!rows.get(pid).row.isConnected) body.append(rows.get(pid).row);
      }}
  }

  return {
    root,
    problem: null,
    async update() {
      const answer = await call("/api/processes");
      ({ processes } = answer);
      draw(false);
      const hidden = answer.hidden === 0
        ? ""
        : `, ${answer.hidden} more that this user may not see`;
      return `${processes.length} process${processes.length === 1 ? "" : "es"}${hidden}`;
    },
    close() {},
  };
}
