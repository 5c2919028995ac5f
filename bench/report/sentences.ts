/**
 * What the figures say, in sentences that are made of them.
 *
 * @module
 */
import { median } from "simple-statistics";
import type { Results } from "../suite/results.ts";
import { BASELINE } from "../suite/subjects.ts";
import { isNative, type RatioRow, ratioRows } from "./figures.ts";
import { percent, ratioText, short, titlesOf } from "./numbers.ts";
import { BUILD_LIMIT, buildRows } from "./tables.ts";

/** The report's title. */
export function headline({ mode, versions }: Results): string {
  return `offheap ${versions.offheap}: benchmark suite, ${mode}`;
}

const GIB = 2 ** 30;
const MINUTE = 60;

/** What was measured, and on what. */
export function whatWasMeasured(results: Results): string {
  const { machine, cases, subjects, runs, seconds, started } = results;
  const coverages = results.summary.flatMap(({ ratio }) => ratio === undefined ? [] : [ratio]);
  const most = Math.max(0, ...coverages.map(({ coverage }) => coverage));
  const intervals = most === 0
    ? "Each ratio is of one pair, so no interval can be given"
    : `Intervals are those of the signed-rank test, and cover up to ${percent(most)}`;
  return `${runs.length} runs of ${cases.length} cases under ${subjects.length} allocator ` +
    `set-ups, on ${started.slice(0, 10)}, in ${short(seconds / MINUTE)} minutes, on ` +
    `${machine.processor} (${machine.cores} cores, ${short(machine.memory / GIB)} GiB, ` +
    `${machine.system}${machine.virtual ? ", a virtual machine" : ""}). Subjects took turns in ` +
    `each round, and each run is compared with the system allocator’s of the same round. ` +
    `${intervals}.`;
}

interface Standing {
  readonly subject: string;
  readonly middle: number;
  readonly rows: readonly RatioRow[];
}

function standings(rows: readonly RatioRow[]): Standing[] {
  return [...Map.groupBy(rows, ({ subject }) => subject)].map(([subject, own]) => ({
    subject,
    middle: median(own.map(({ ratio }) => ratio.median)),
    rows: own,
  }));
}

/** Subjects that users can choose by a profile: the sentences are about them. */
function ofProfiles(results: Results, rows: readonly RatioRow[]): RatioRow[] {
  const ids = results.subjects.filter(({ command }) => command.includes(" -p ")).map(({ id }) =>
    id
  );
  return rows.filter(({ subject }) => ids.includes(subject));
}

/** Only subjects that ran in the most cases: a median over fewer cases does not compare. */
function comparable(rows: readonly RatioRow[]): Standing[] {
  const all = standings(rows);
  const most = Math.max(0, ...all.map((one) => one.rows.length));
  return all.filter((one) => one.rows.length === most);
}

function certain(rows: readonly RatioRow[], side: "above" | "below"): number {
  return rows.filter(({ ratio: { low, high } }) =>
    low !== null && high !== null && (side === "above" ? low > 1 : high < 1)
  ).length;
}

/** In how many cases the interval is on one side of 1. */
function certainty(rows: readonly RatioRow[]): string {
  const known = rows.filter(({ ratio }) => ratio.low !== null).length;
  if (known === 0) return "With one pair a case, no interval can be given.";
  return `Of ${known} intervals ${certain(rows, "above")} are above 1, ` +
    `${certain(rows, "below")} below.`;
}

function cases(count: number): string {
  return count === 1 ? "in one case" : `median of ${count} cases`;
}

function throughputSentence(results: Results): string | null {
  const scripts = ratioRows(results, "throughput").filter((row) => !isNative(results, row.case));
  const [best] = comparable(ofProfiles(results, scripts)).sort((a, b) => b.middle - a.middle);
  if (best === undefined) return null;
  const title = titlesOf(results);
  const name = title.subject(best.subject);
  const count = best.rows.length;
  const worst = best.rows.toSorted((a, b) => a.ratio.median - b.ratio.median)[0];
  const least = worst === undefined || count === 1
    ? ""
    : `; the least is ${ratioText(worst.ratio.median)}, of ${title.case(worst.case)}`;
  return `Throughput of JavaScript programs: of the profiles, ${name} comes first with ` +
    `${ratioText(best.middle)} times the system allocator’s (${cases(count)}${least}). ` +
    certainty(best.rows);
}

function memorySentence(results: Results): string | null {
  const idle = ofProfiles(results, ratioRows(results, "idleResident"));
  const rows = idle.length > 0 ? idle : ofProfiles(results, ratioRows(results, "peakResident"));
  const [best] = comparable(rows).sort((a, b) => a.middle - b.middle);
  if (best === undefined) return null;
  const what = idle.length > 0 ? "Resident memory of an idle process" : "Peak resident memory";
  const name = titlesOf(results).subject(best.subject);
  return `${what}: of the profiles, ${name} has the least, ${ratioText(best.middle)} times the ` +
    `system allocator’s (${cases(best.rows.length)}). ${certainty(best.rows)}`;
}

function buildSentence(results: Results): string | null {
  const rows = buildRows(results);
  const slowest = rows.toSorted((a, b) => b.ratio.median - a.ratio.median)[0];
  if (slowest === undefined) return null;
  const title = titlesOf(results);
  const over = rows.filter(({ ratio }) => ratio.median > BUILD_LIMIT).length;
  const verdict = over === 0
    ? `no build of ours took more than ${BUILD_LIMIT} times`
    : `in ${over} of ${rows.length} comparisons ours took more than ${BUILD_LIMIT} times`;
  return `Beside Debian’s builds of the same allocators: ${verdict} as long. The greatest ratio is ` +
    `${ratioText(slowest.ratio.median)} (${title.subject(slowest.subject)} over ` +
    `${title.subject(slowest.ratio.baseline)} in ${title.case(slowest.case)}), the median ` +
    `${ratioText(median(rows.map(({ ratio }) => ratio.median)))}.`;
}

/** What was measured, then what matters; only what the figures show. */
export function sentences(results: Results): string[] {
  const said = [throughputSentence(results), memorySentence(results), buildSentence(results)]
    .filter((sentence) => sentence !== null);
  const subjects = results.subjects.some(({ id }) => id !== BASELINE);
  return [
    whatWasMeasured(results),
    ...(subjects ? said : ["Only the system allocator was measured: there is nothing to compare."]),
  ];
}
