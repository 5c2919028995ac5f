/**
 * When a figure counts as lost: the rules, without measuring.
 *
 * @module
 */
import type { Baseline, Measured } from "./baseline.ts";

/** A loss above this share fails, when it repeats. */
export const LIMIT = 0.1;
/** How often in all a loss is measured before it counts. */
export const TIMES = 3;

/** How a case came out. */
export type Verdict =
  | { readonly outcome: "kept" | "lost" | "better"; readonly loss: number; readonly base: number }
  | { readonly outcome: "new" | "not compared"; readonly reason: string };

/** Compares one figure with the baseline's of the same name. */
export function compare(measured: Measured, baseline: Baseline, compiler: string): Verdict {
  const base = baseline.cases.find(({ id }) => id === measured.id);
  if (base === undefined) {
    return { outcome: "new", reason: "the baseline does not have it; --accept takes it in" };
  }
  if (measured.kind === "instructions" && compiler !== baseline.compiler) {
    const reason = `the libraries are of "${compiler}", the baseline's of "${baseline.compiler}"`;
    return { outcome: "not compared", reason };
  }
  const loss = measured.value / base.value - 1;
  const allowed = LIMIT + base.spread;
  const outcome = loss > allowed ? "lost" : loss < -allowed ? "better" : "kept";
  return { outcome, loss, base: base.value };
}

/**
 * Measures a case, and again when it is lost: it counts only when each time it is.
 *
 * @param measure Measures the case once.
 */
export async function judge(
  measure: () => Promise<Measured>,
  baseline: Baseline,
  compiler: string,
): Promise<{ readonly measured: Measured; readonly verdict: Verdict }> {
  let last = await measure();
  let verdict = compare(last, baseline, compiler);
  for (let time = 1; time < TIMES && verdict.outcome === "lost"; time++) {
    last = await measure();
    verdict = compare(last, baseline, compiler);
  }
  return { measured: last, verdict };
}

/** Cases of the baseline that are not measured any more. */
export function forgotten(baseline: Baseline, ids: ReadonlySet<string>): string[] {
  return baseline.cases.map(({ id }) => id).filter((id) => !ids.has(id));
}
