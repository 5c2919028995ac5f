/** One process: what it is, what is wrong with its memory, how it has moved, and what can be done. */
import { call } from "./api.js";
import { lines, percent, rate, stack } from "./charts.js";
import { age, bytes, element, setMessage, setText, setWords, toneOf } from "./dom.js";

/** The parts of RSS from below, as they are stacked. */
const PARTS = [
  "files",
  "shared",
  "javascript",
  "runtime",
  "live",
  "fragmentation",
  "metadata",
  "committed",
  "held",
  "rest",
];

/** The facts that are shown, in their order. */
const FACTS = [
  [
    "allocator",
    ({ allocator, version }) => version === null ? allocator : `${allocator} ${version}`,
  ],
  ["proven", ({ verified, lost }) => lost ? "no: the preload is lost" : verified ? "yes" : "no"],
  ["profile", ({ profile }) => profile ?? "–"],
  ["runtime", ({ runtime }) => runtime ?? "–"],
  ["RSS", ({ resident }) => bytes(resident)],
  ["allocated", ({ allocated }) => bytes(allocated)],
  ["held back", ({ heldBack }) => bytes(heldBack)],
  ["swap", ({ swap }) => bytes(swap)],
  [
    "limit",
    ({ limits }) =>
      limits.map(({ source, used, limit }) => `${bytes(used)} of ${bytes(limit)} (${source})`).join(
        ", ",
      ) || "–",
  ],
  ["memory is short", ({ agent, short }) => agent ? (short ? "yes" : "no") : "–"],
  ["runs for", ({ ageSeconds }) => age(ageSeconds)],
  ["user", ({ user }) => String(user)],
];

function verdictCard() {
  const verdict = element("strong");
  const because = element("p");
  const next = element("p");
  const also = element("p", { class: "quiet" });
  const card = element("div", { class: "verdict" }, verdict, because, next, also);
  return {
    card,
    show(report) {
      card.className = `verdict ${toneOf(report.verdict)}`;
      setText(verdict, `${report.verdict}, ${Math.round(report.sure * 100)} % sure`);
      setText(because, report.because);
      setWords(next, `Next: ${report.next}`);
      setText(also, report.also.map((each) => `Also ${each.verdict}: ${each.because}`).join(". "));
    },
  };
}

function factList() {
  const values = FACTS.map(() => element("dd"));
  const command = element("dd");
  const list = element(
    "dl",
    { class: "facts" },
    ...FACTS.map(([name], index) => element("div", {}, element("dt", {}, name), values[index])),
    element("div", { class: "wide" }, element("dt", {}, "command"), command),
  );
  return {
    list,
    show(process) {
      FACTS.forEach(([, read], index) => setText(values[index], read(process)));
      setText(command, process.command);
    },
  };
}

/** A button that does one thing at a time, and says what came of it. */
function action(title, words, act) {
  const button = element("button", { type: "button" }, title);
  button.addEventListener("click", async () => {
    button.disabled = true;
    words.replaceChildren(`${title} …`);
    try {
      words.replaceChildren(...await act());
    } catch (error) {
      words.replaceChildren(error.message);
    }
    button.disabled = false;
    button.focus();
  });
  return button;
}

async function purge(pid) {
  const { residentBefore, residentAfter, milliseconds, refused } = await call(
    `/api/processes/${pid}/purge`,
    "POST",
  );
  if (refused !== null) return [`Nothing was given back: ${refused}.`];
  const back = bytes(Math.max(0, residentBefore - residentAfter));
  return [
    `${back} came back in ${milliseconds.toFixed(1)} ms: RSS was ${bytes(residentBefore)}, ` +
    `and is ${bytes(residentAfter)}.`,
  ];
}

async function snapshot(pid) {
  const { page, profile } = await call(`/api/processes/${pid}/snapshot`, "POST");
  return [
    "The profile is taken: ",
    element("a", { href: page, target: "_blank", rel: "noopener" }, "flame graph"),
    ", ",
    element("a", { href: profile, download: "" }, "for pprof"),
    ".",
  ];
}

/** The figures that were counted at least once. */
function counted(values) {
  return Object.fromEntries(
    Object.entries(values).filter(([, series]) => series.some((value) => value !== null)),
  );
}

/** The view of one process. */
export function processView(pid) {
  const heading = element("h2", { tabindex: "-1" }, `process ${pid}`);
  const facts = factList();
  const verdict = verdictCard();
  const words = element("p", { role: "status", id: "outcome" });
  const charts = {
    parts: stack("Resident memory, by who has it", PARTS),
    allocator: lines("The allocator", bytes),
    faults: lines("Page faults in a second", rate),
    used: lines("Used of the limits: from 90 % on memory is short", percent),
  };
  const purgeButton = action("Purge", words, () => purge(pid));
  const view = {
    root: element(
      "article",
      {},
      element("p", {}, element("a", { href: "#/" }, "all processes")),
      heading,
      verdict.card,
      element(
        "div",
        { class: "tools" },
        purgeButton,
        action("Snapshot", words, () => snapshot(pid)),
        words,
      ),
      facts.list,
      element("div", { class: "charts" }, ...Object.values(charts).map(({ section }) => section)),
    ),
    problem: null,
    async update() {
      let details;
      try {
        details = await call(`/api/processes/${pid}`);
      } catch (error) {
        // What was shown until now stays; whoever it was has ended.
        view.problem = error.message;
        throw error;
      }
      view.problem = null;
      const { process, report, at, parts, allocator, faults, used } = details;
      setText(heading, `${process.program} (${pid})`);
      facts.show(process);
      verdict.show(report);
      charts.parts.show(at, parts);
      charts.allocator.show(at, counted(allocator));
      charts.faults.show(at, faults);
      charts.used.show(at, used);
      return `process ${pid}, ${at.length} look${at.length === 1 ? "" : "s"}`;
    },
    close() {
      for (const each of Object.values(charts)) each.close();
    },
  };
  setMessage("");
  return view;
}
