/**
 * Reads what each runtime's own test reporter prints: its totals, and the tests that it skipped.
 *
 * @module
 */

import type { RuntimeName } from "../../tools/runtimes.ts";

/** A reporter's totals. */
export interface Totals {
  /** Tests that passed. */
  readonly passed: number;
  /** Tests that failed or were cancelled. */
  readonly failed: number;
  /** Tests that were skipped, those marked `todo` included. */
  readonly skipped: number;
}

/** A test that was skipped. */
export interface Skip {
  /** The test's name, as the reporter prints it. */
  readonly name: string;
  /** Why; `null` when nothing said so. */
  readonly reason: string | null;
}

/** How to read one reporter. */
interface ReporterFormat {
  /** Must match somewhere, or the reporter did not get to its end. */
  readonly end: RegExp;
  /** Each total's patterns; the last match of each is taken, and they are added up. */
  readonly passed: readonly RegExp[];
  readonly failed: readonly RegExp[];
  readonly skipped: readonly RegExp[];
  /** A line of a skipped test: its name, and its reason where the reporter prints one. */
  readonly skip: RegExp;
}

const NODE: ReporterFormat = {
  end: /^ℹ duration_ms /m,
  passed: [/^ℹ pass (\d+)$/gm],
  failed: [/^ℹ fail (\d+)$/gm, /^ℹ cancelled (\d+)$/gm],
  skipped: [/^ℹ skipped (\d+)$/gm, /^ℹ todo (\d+)$/gm],
  skip: /^\s*﹣ (.+) \([\d.]+ms\)(?: # (.+))?$/gm,
};

const DENO_END = String.raw`^(?:ok|FAILED) \| (?:\d+ passed)[^\n]*`;

const FORMATS: Readonly<Record<RuntimeName, ReporterFormat>> = {
  deno: {
    end: new RegExp(DENO_END, "m"),
    passed: [/^(?:ok|FAILED) \| (\d+) passed/gm],
    failed: [/^(?:ok|FAILED) \| [^\n]*\| (\d+) failed/gm],
    skipped: [/^(?:ok|FAILED) \| [^\n]*\| (\d+) ignored/gm],
    skip: /^(?:\s*)(\S.*) \.\.\. ignored \(/gm,
  },
  bun: {
    // The second is all that it says when a filter fits no test of the file.
    end: /^(?:Ran \d+ tests? across \d+ files?\.|error: regex .* matched 0 tests\.)/m,
    passed: [/^ *(\d+) pass$/gm],
    failed: [/^ *(\d+) fail$/gm, /^ *(\d+) errors?$/gm],
    skipped: [/^ *(\d+) skip$/gm, /^ *(\d+) todo$/gm],
    skip: /^\((?:skip|todo)\) (.+?)(?: \[[\d.]+m?s\])?$/gm,
  },
  node26: NODE,
  node24: NODE,
  node22: NODE,
};

/** The line that `tests/support/skip.ts` prints, for reporters that keep the reason to themselves. */
const PRINTED_REASON = /^# skip: (.+)$/gm;

/** The totals in a reporter's output; `null` when it never got to print them. */
export function parseTotals(runtime: RuntimeName, output: string): Totals | null {
  const format = FORMATS[runtime];
  if (!format.end.test(output)) return null;
  return {
    passed: sum(format.passed, output),
    failed: sum(format.failed, output),
    skipped: sum(format.skipped, output),
  };
}

/**
 * The skipped tests in a reporter's output. Deno's and Bun's reporters leave the reasons out; the
 * lines that the tests print come in the order of the tests, so as many lines as skips belong to
 * them one by one.
 */
export function parseSkips(runtime: RuntimeName, output: string): Skip[] {
  // Bun lists the skipped tests once more at the end of a long file.
  const skips = [
    ...new Map([...output.matchAll(FORMATS[runtime].skip)].map((match) => [match[1], match]))
      .values(),
  ];
  const printed = [...output.matchAll(PRINTED_REASON)].map((match) => match[1] ?? null);
  const paired = printed.length === skips.length;
  return skips.map((match, index) => ({
    name: match[1] ?? "",
    reason: match[2] !== undefined && match[2] !== "SKIP"
      ? match[2]
      : paired
      ? printed[index] ?? null
      : null,
  }));
}

function sum(patterns: readonly RegExp[], output: string): number {
  let total = 0;
  for (const pattern of patterns) {
    const last = [...output.matchAll(pattern)].at(-1);
    total += Number(last?.[1] ?? 0);
  }
  return total;
}
