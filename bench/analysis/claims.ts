/**
 * What is often said about these allocators, and what the results have to say to it.
 *
 * @module
 */
import { isNative, type RatioRow, ratioRows } from "../report/figures.ts";
import { intervalText, ratioText, titlesOf } from "../report/numbers.ts";
import type { Results } from "../suite/results.ts";
import { BURST, CONTROL, PROFILE_SUBJECT } from "./bounds.ts";

/** A claim, and the answer. */
export interface Claim {
  readonly said: string;
  readonly answer: (results: Results) => string;
}

/** How much less a ratio below 1 is, as `21 % less`; above, `8 % more`. */
export function asChange(ratio: number): string {
  const percent = Math.round(Math.abs(ratio - 1) * 100);
  if (percent === 0) return "no change";
  return `${percent} % ${ratio < 1 ? "less" : "more"}`;
}

function describe(results: Results, { case: id, subject, ratio }: RatioRow): string {
  const titles = titlesOf(results);
  return `×${ratioText(ratio.median)} (${intervalText(ratio)}; ${titles.subject(subject)} in ` +
    `${titles.case(id)})`;
}

/** From the least to the greatest of some ratios, in words. */
function range(results: Results, rows: readonly RatioRow[]): string {
  const sorted = rows.toSorted((a, b) => a.ratio.median - b.ratio.median);
  const [least, greatest] = [sorted.at(0), sorted.at(-1)];
  if (least === undefined || greatest === undefined) return "was not measured";
  return `was between ${describe(results, least)} and ${describe(results, greatest)}`;
}

function throughputAnswer(results: Results): string {
  const rows = ratioRows(results, "throughput")
    .filter(({ subject, case: id }) => PROFILE_SUBJECT.test(subject) && id !== CONTROL);
  const native = rows.filter((row) => isNative(results, row.case));
  const programs = rows.filter((row) => !isNative(results, row.case));
  return `measured here: the throughput of native programs that do nothing but allocate ${
    range(results, native)
  }, that of programs in JavaScript ${range(results, programs)}.`;
}

function memoryAnswer(results: Results): string {
  const { subject: title } = titlesOf(results);
  const list = ratioRows(results, "idleResident")
    .filter(({ subject, case: id }) => PROFILE_SUBJECT.test(subject) && id === BURST)
    .map(({ subject, ratio }) => `${title(subject)} ${asChange(ratio.median)}`);
  if (list.length === 0) return `not measured: these results lack the case ${BURST}.`;
  return "measured here: resident memory of the idle process after the document burst in Node, " +
    `against glibc: ${list.join("; ")}.`;
}

const NOT_HERE = "not measurable here: there was no such machine. The libraries for both are " +
  "built and their bytes checked; what they gain has to be measured there.";

/** Every claim. */
export const CLAIMS: readonly Claim[] = [
  { said: "6× throughput on macOS and Windows", answer: () => NOT_HERE },
  { said: "half the memory on macOS and Windows", answer: () => NOT_HERE },
  { said: "3–4× throughput against glibc on Linux", answer: throughputAnswer },
  { said: "40 % less memory on Linux", answer: memoryAnswer },
];
