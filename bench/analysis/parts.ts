/**
 * The parts of documents that are made of results, by the names of their marks.
 *
 * @module
 */
import { latencyRows, METRIC_VIEWS, type MetricView, ratioRows } from "../report/figures.ts";
import { escapeCell, markdownTable } from "../report/markdown.ts";
import { intervalText, mebibytes, ratioText, timeText, titlesOf } from "../report/numbers.ts";
import { sentences, whatWasMeasured } from "../report/sentences.ts";
import { machineTable, subjectTable } from "../report/about-tables.ts";
import type { Table } from "../report/table.ts";
import { buildTable, phaseTable, splitTable } from "../report/tables.ts";
import type { Results } from "../suite/results.ts";
import { BASELINE } from "../suite/subjects.ts";
import { BURST, judgeAll, type Judged, type Outcome, PROFILE_SUBJECT } from "./bounds.ts";
import { CLAIMS } from "./claims.ts";
import { noiseTable } from "./noise.ts";

/** Makes a part's Markdown. */
export type Part = (results: Results) => string;

function viewOf(metric: string): MetricView {
  const view = METRIC_VIEWS.find((one) => one.metric === metric);
  if (view === undefined) {
    throw new RangeError(`Cannot show ${metric}: the report has no such view`);
  }
  return view;
}

/** One metric: a row for each case, a column for each subject, ratios to the system's allocator. */
function matrix(results: Results, metric: string, only = /./): string {
  const rows = ratioRows(results, metric).filter(({ subject }) => only.test(subject));
  const titles = titlesOf(results);
  const subjects = results.subjects.filter(({ id }) => rows.some(({ subject }) => subject === id));
  const cases = results.cases.filter(({ id }) => rows.some((row) => row.case === id));
  if (cases.length === 0) return "Not measured.";
  const cell = (id: string, subject: string): string => {
    const row = rows.find((one) => one.case === id && one.subject === subject);
    return row === undefined ? "" : ratioText(row.ratio.median);
  };
  return markdownTable({
    name: metric,
    title: "",
    words: 1,
    head: ["case", ...subjects.map(({ id }) => titles.subject(id))],
    rows: cases.map(({ id }) => [
      titles.case(id),
      ...subjects.map((subject) => cell(id, subject.id)),
    ]),
  });
}

function metricPart(metric: string): Part {
  return (results) => {
    const { title, axis } = viewOf(metric);
    return `${title}: ${axis}; the middle of paired rounds.\n\n${matrix(results, metric)}`;
  };
}

function tableOrNot(table: Table): string {
  return table.rows.length === 0 ? "Not measured." : `${table.title}.\n\n${markdownTable(table)}`;
}

const COMPARED = [BASELINE, "jemalloc-balanced", "mimalloc-balanced"];

/** The calls that differ most; the page has all of them. */
const TOLD_CALLS =
  /^(allocate|free|(malloc \+ free (64 B|64 KiB|1 MiB)|block allocate \+ free 64 KiB|new Uint8Array 64 KiB|arena allocate.*|pool acquire.*) · (1 thread|4 threads) · .*)$/;

/** Latencies of the subjects that most people choose between. */
function latencyPart(results: Results): string {
  const titles = titlesOf(results);
  const rows = latencyRows(results).filter(({ subject, call }) =>
    COMPARED.includes(subject) && TOLD_CALLS.test(call)
  );
  return tableOrNot({
    name: "latency",
    title: "Time a call, medians over rounds of each percentile, by an HDR histogram",
    words: 3,
    head: ["case", "call", "subject", "p50", "p95", "p99", "p99.9", "max"],
    rows: rows.map(({ case: id, call, subject, latency }) => [
      titles.case(id),
      call,
      titles.subject(subject),
      ...[latency.p50, latency.p95, latency.p99, latency.p999, latency.max].map(timeText),
    ]),
  });
}

/** The same agents with an arena for each run, and with plain JavaScript. */
const ARENAS = { with: "agents-node26", without: "agents-javascript-node26" } as const;
const ARENA_METRICS = ["throughput", "cpu", "peakResident", "minorFaults"] as const;

function arenaPart(results: Results): string {
  const titles = titlesOf(results);
  const of = (id: string, subject: string, metric: string) =>
    results.summary.find((row) =>
      row.case === id && row.subject === subject && row.metric === metric &&
      (row.ratio === undefined || row.ratio.baseline === BASELINE)
    )?.value;
  const rows = COMPARED.map((subject) => [
    titles.subject(subject),
    ...ARENA_METRICS.map((metric) => {
      const [own, other] = [of(ARENAS.with, subject, metric), of(ARENAS.without, subject, metric)];
      return own === undefined || other === undefined ? "" : ratioText(own / other);
    }),
  ]);
  return tableOrNot({
    name: "arenas",
    title: "Agents in Node 26 whose runs keep embeddings and buffers in an arena, over the same " +
      "with plain JavaScript (medians of the same rounds, no unit)",
    words: 1,
    head: ["subject", "throughput", "processor time", "peak", "page faults"],
    rows: rows.filter((cells) => cells.some((cell, i) => i > 0 && cell !== "")),
  });
}

const OUTCOME_WORDS: Readonly<Record<Outcome, string>> = {
  "holds": "holds",
  "noise": "within the interval",
  "broken": "does not hold",
  "not measured": "not measured",
};

function boundRow(results: Results, judged: Judged): string[] {
  const { bound, allocator, outcome, deciding } = judged;
  const where = deciding === null
    ? ""
    : `${ratioText(deciding.ratio.median)} (${intervalText(deciding.ratio)}), ` +
      titlesOf(results).case(deciding.case);
  return [bound.profile, bound.text, allocator, where, OUTCOME_WORDS[outcome]];
}

function boundsTable(results: Results): string {
  return markdownTable({
    name: "bounds",
    title: "",
    words: 5,
    head: ["profile", "bound", "allocator", "the ratio that decides", "outcome"],
    rows: judgeAll(results).map((judged) => boundRow(results, judged)),
  });
}

/** Every ratio beyond a bound: what a profile is chosen with open eyes at. */
function frontier(results: Results): string {
  const titles = titlesOf(results);
  const lines = judgeAll(results).filter(({ outcome }) => outcome === "broken").map(
    ({ bound, allocator, beyond }) => {
      const list = beyond.map(({ case: id, ratio }) =>
        `${titles.case(id)} ${ratioText(ratio.median)} (${intervalText(ratio)})`
      );
      return `- ${allocator}, ${bound.profile}, “${bound.text}”: ${list.join("; ")}`;
    },
  );
  if (lines.length === 0) return "Every bound holds.";
  return `Beyond their bounds, each with its ratio:\n\n${lines.join("\n")}`;
}

/** What each profile came to in the burst of documents: the figures beside the guide's table. */
function profileFigures(results: Results): string {
  const titles = titlesOf(results);
  const metrics = ["throughput", "peakResident", "idleResident", "minorFaults"];
  const base = results.summary.find((row) =>
    row.case === BURST && row.subject === BASELINE && row.metric === "idleResident"
  );
  const subjects = results.subjects.filter(({ id }) => PROFILE_SUBJECT.test(id));
  const versions = new Set(subjects.map(({ allocator, version }) => `${allocator} ${version}`));
  const cell = (metric: string, subject: string): string => {
    const row = ratioRows(results, metric).find((one) =>
      one.case === BURST && one.subject === subject
    );
    return row === undefined ? "" : `×${ratioText(row.ratio.median)}`;
  };
  const table = markdownTable({
    name: "profiles",
    title: "",
    words: 1,
    head: ["profile", "throughput", "peak", "idle", "page faults"],
    rows: subjects.map(({ id }) => [
      titles.subject(id),
      ...metrics.map((metric) => cell(metric, id)),
    ]),
  });
  const idle = base === undefined ? "" : ` glibc’s process idles at ${mebibytes(base.value)} MiB.`;
  const what = `A burst of documents in Node 26 under ${[...versions].join(" and ")}`;
  return `${what}, against glibc in the same round.${idle}\n\n${table}`;
}

function claimsPart(results: Results): string {
  return CLAIMS.map(({ said, answer }) => `- “${said}”: ${answer(results)}`).join("\n");
}

/** The parts, by name. */
export const PARTS: Readonly<Record<string, Part>> = {
  "analysis-summary": (results) =>
    sentences(results).map((sentence) => `- ${escapeCell(sentence)}`).join("\n"),
  "analysis-machine": (results) =>
    [
      whatWasMeasured(results),
      markdownTable(machineTable(results)),
      markdownTable(subjectTable(results)),
    ].join("\n\n"),
  "analysis-noise": (results) => tableOrNot(noiseTable(results)),
  "analysis-throughput": metricPart("throughput"),
  "analysis-memory": (results) =>
    [
      metricPart("peakResident")(results),
      metricPart("idleResident")(results),
      tableOrNot(phaseTable(results)),
      tableOrNot(splitTable(results)),
    ].join("\n\n"),
  "analysis-faults": metricPart("minorFaults"),
  "analysis-arenas": arenaPart,
  "analysis-latency": latencyPart,
  "analysis-debian": (results) => tableOrNot(buildTable(results)),
  "analysis-profiles": (results) => `${boundsTable(results)}\n\n${frontier(results)}`,
  "analysis-claims": claimsPart,
  "bench-profiles": profileFigures,
  "bench-table": (results) => matrix(results, "throughput", PROFILE_SUBJECT),
};
