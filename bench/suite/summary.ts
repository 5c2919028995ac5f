/**
 * From runs to figures: medians, and paired ratios to the baseline, by the engine of
 * `offheap compare`.
 *
 * @module
 */
import { pairedRatios, type Values } from "../../lib/watch/compare/pairs.ts";
import { medianOf } from "../../lib/median.ts";
import { estimate } from "../../lib/watch/compare/statistics.ts";
import type { CaseInfo, Run, StoredResults, SummaryRow } from "./results.ts";
import { BASELINE, SUBJECTS } from "./subjects.ts";

/** What a subject is compared with, beside the baseline of all. */
export interface Comparison {
  readonly subject: string;
  readonly baseline: string;
  readonly metric: string;
}

/** A metric of some runs, by round. */
export function valuesOf(runs: readonly Run[], metric: string): Values {
  return new Map(runs.flatMap(({ round, output }) => {
    const found = output.metrics[metric];
    return found === undefined ? [] : [[round, found.value] as const];
  }));
}

function ratioOf(own: Values, other: Values, baseline: string): SummaryRow["ratio"] {
  const ratios = pairedRatios(own, other);
  if (ratios.length === 0) return undefined;
  const { count, ...rest } = estimate(ratios);
  return { baseline, ...rest, pairs: count };
}

function rowsOf(
  info: CaseInfo,
  bySubject: ReadonlyMap<string, readonly Run[]>,
  baseline: string,
  comparisons: readonly Comparison[],
): SummaryRow[] {
  const rows: SummaryRow[] = [];
  const runsOf = (id: string): readonly Run[] => bySubject.get(id) ?? [];
  for (const subject of info.subjects) {
    for (
      const [metric, { unit, better }] of Object.entries(runsOf(subject)[0]?.output.metrics ?? {})
    ) {
      const own = valuesOf(runsOf(subject), metric);
      const value = medianOf([...own.values()]);
      const row = { case: info.id, subject, metric, unit, better, value };
      const against = [
        ...(subject === baseline ? [] : [baseline]),
        ...comparisons.filter((one) => one.subject === subject && one.metric === metric)
          .map((one) => one.baseline),
      ];
      const ratios = against.map((id) => ratioOf(own, valuesOf(runsOf(id), metric), id))
        .filter((ratio) => ratio !== undefined);
      if (ratios.length === 0) rows.push(row);
      else rows.push(...ratios.map((ratio) => ({ ...row, ratio })));
    }
  }
  return rows;
}

/**
 * Summarises runs; warm-ups do not count.
 *
 * @param comparisons Further pairs, for builds of the same allocator.
 */
export function summarise(
  cases: readonly CaseInfo[],
  runs: readonly Run[],
  baseline: string,
  comparisons: readonly Comparison[],
): SummaryRow[] {
  return cases.flatMap((info) => {
    const counted = runs.filter((run) => run.case === info.id && run.round > 0);
    return rowsOf(info, Map.groupBy(counted, (run) => run.subject), baseline, comparisons);
  });
}

/** What builds of one allocator are compared by. */
const BUILD_METRIC = "wall";

/** Our builds beside those of others. */
const COMPARISONS: readonly Comparison[] = SUBJECTS.flatMap(({ id, against }) =>
  against === undefined ? [] : [{ subject: id, baseline: against, metric: BUILD_METRIC }]
);

/** What results come to. */
export function summaryOf({ cases, runs }: Pick<StoredResults, "cases" | "runs">): SummaryRow[] {
  return summarise(cases, runs, BASELINE, COMPARISONS);
}
