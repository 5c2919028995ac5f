/**
 * The figures of misuse and its costs as tables in Markdown.
 *
 * @module
 */
import { layoutTable } from "../../tools/markdown-table.ts";
import type { Cost } from "./costs.ts";
import type { CaseResult, Outcome } from "./outcomes.ts";

/** What the outcomes mean, for whoever reads the table. */
export const DEFINITION = "A case is stopped when the process was ended by a signal, or when the " +
  "misuse was reported on standard error and the program went on unharmed, each time that it was " +
  'tried. "Unseen": the program went on and saw nothing amiss. "Harmed": blocks overlapped or ' +
  "were changed, what a freed block had held was read, or the program hung.";

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}

/** How many cases each set-up stopped, by class and size, and what became of the others. */
export function misuseTable(results: readonly CaseResult[]): string {
  const setups = unique(results.map(({ setup }) => setup));
  const groups = unique(results.map((one) => `${one.class}\t${one.size}`));
  const count = (
    of: readonly CaseResult[],
    outcome: Outcome,
  ): string[] =>
    setups.map((setup) =>
      String(of.filter((one) => one.setup === setup && one.outcome === outcome).length)
    );
  const rows = groups.map((group) => {
    const [kind = "", size = ""] = group.split("\t");
    const those = results.filter((one) => one.class === kind && one.size === size);
    return [kind, size, String(those.length / setups.length), ...count(those, "stopped")];
  });
  const total = String(results.length / setups.length);
  return layoutTable(["misuse", "blocks", "cases", ...setups], [
    ...rows,
    ["**stopped**", "", total, ...count(results, "stopped")],
    ["unseen", "", "", ...count(results, "unseen")],
    ["harmed", "", "", ...count(results, "harmed")],
  ], 2);
}

/** Processor time and peak memory over those of another set-up. */
export function costTable(costs: readonly Cost[]): string {
  const figure = ({ time, peak }: Cost): string => `×${time.toFixed(2)}, ×${peak.toFixed(2)}`;
  const patterns = unique(costs.map(({ pattern }) => pattern));
  const rows = unique(costs.map(({ setup, over }) => `${setup}\t${over}`)).map((pair) => {
    const [setup = "", over = ""] = pair.split("\t");
    return [
      setup,
      over,
      ...patterns.map((pattern) =>
        costs.filter((one) => one.pattern === pattern && one.setup === setup && one.over === over)
          .map(figure).join()
      ),
    ];
  });
  return layoutTable(["time, peak of", "over", ...patterns], rows, 2);
}
