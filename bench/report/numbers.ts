/**
 * Figures as text.
 *
 * @module
 */
import type { Results, SummaryRow } from "../suite/results.ts";

const MIB = 2 ** 20;
const NBSP = "\u00a0";

/** Three significant digits, without an exponent; thousands are grouped. */
export function short(value: number): string {
  if (value === 0) return "0";
  const size = Math.floor(Math.log10(Math.abs(value)));
  const digits = Math.min(6, Math.max(0, 2 - size));
  return value.toLocaleString("en", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

/** A size in MiB, without its unit. */
export function mebibytes(bytes: number): string {
  return short(bytes / MIB);
}

/** A ratio: two digits after the point, three where it is small. */
export function ratioText(value: number): string {
  return value >= 0.1 ? value.toFixed(2) : value.toFixed(3);
}

/** An interval of a ratio, or why it is missing. */
export function intervalText(ratio: { low: number | null; high: number | null }): string {
  if (ratio.low === null || ratio.high === null) return "one pair";
  return `${ratioText(ratio.low)}${NBSP}to${NBSP}${ratioText(ratio.high)}`;
}

/** A share as a percentage, with as many digits as it has. */
export function percent(share: number): string {
  return `${Number((share * 100).toFixed(2))}${NBSP}%`;
}

/** How much an interval covers; nothing without an interval. */
export function coverageText(coverage: number): string {
  return coverage === 0 ? "–" : percent(coverage);
}

const TIME_STEPS: readonly (readonly [number, string])[] = [
  [1e9, "s"],
  [1e6, "ms"],
  [1e3, "µs"],
  [1, "ns"],
];

/** A time that is given in nanoseconds, in the unit that suits it. */
export function timeText(nanoseconds: number): string {
  const [size, unit] = TIME_STEPS.find(([step]) => nanoseconds >= step) ?? [1, "ns"];
  return `${short(nanoseconds / size)}${NBSP}${unit}`;
}

/** A power of ten of nanoseconds for an axis, as `100 ns` or `10 µs`. */
export function tickTime(nanoseconds: number): string {
  const [size, unit] = TIME_STEPS.find(([step]) => nanoseconds >= step) ?? [1, "ns"];
  return `${nanoseconds / size}${NBSP}${unit}`;
}

/** A metric's value with its unit; rates say what they count. */
export function valueText(
  { value, unit }: Pick<SummaryRow, "value" | "unit">,
  counts: string,
): string {
  const units: Readonly<Record<SummaryRow["unit"], () => string>> = {
    "1/s": () => `${short(value)} ${counts}/s`,
    "s": () => `${short(value)}${NBSP}s`,
    "B": () => `${mebibytes(value)}${NBSP}MiB`,
    "B/s": () => `${mebibytes(value)}${NBSP}MiB/s`,
    "ns": () => timeText(value),
    "1": () => short(value),
  };
  return units[unit]();
}

/** Titles by the ids of results. */
export interface Titles {
  subject(id: string): string;
  case(id: string): string;
  counts(id: string): string;
}

/** The titles that results carry. */
export function titlesOf({ subjects, cases }: Pick<Results, "subjects" | "cases">): Titles {
  const subjectTitles = new Map(subjects.map(({ id, title }) => [id, title]));
  const caseInfos = new Map(cases.map((info) => [info.id, info]));
  return {
    subject: (id) => subjectTitles.get(id) ?? id,
    case: (id) => caseInfos.get(id)?.title ?? id,
    counts: (id) => caseInfos.get(id)?.counts ?? "",
  };
}
