/**
 * What a chart of the report is.
 *
 * @module
 */

/** One entry of a legend: a filled square, or a sign as text. */
export interface LegendEntry {
  readonly title: string;
  readonly colour: string;
  readonly sign: string;
}

/** A chart. */
export interface Chart {
  /** The section that it is in. */
  readonly section: string;
  readonly title: string;
  /** The axis's title: what, unit, baseline. */
  readonly axis: string;
  readonly note: string;
  readonly legend: readonly LegendEntry[];
  /** The table that has the same figures. */
  readonly table: string;
  readonly html: string;
}

/** What all ratios are of. */
export const BASELINE_TITLE = "the system allocator (glibc)";
