/**
 * What the summary table does not show: why tests were skipped, and files whose tests differ in
 * number between the runtimes.
 *
 * @module
 */

import type { FileResult } from "./run-file.ts";
import type { Totals } from "./summary.ts";

/** One runtime's results. */
export interface RuntimeFiles {
  /** The runtime's name. */
  readonly title: string;
  /** Its files' results. */
  readonly files: readonly FileResult[];
}

/**
 * One line for each test that was skipped, with the reason and the runtimes. A reason that one
 * reporter keeps to itself is taken from another that skipped the same test.
 */
export function explainSkips(
  results: readonly RuntimeFiles[],
): { lines: string[]; unexplained: number } {
  const tests = new Map<string, { titles: string[]; reason: string | null }>();
  for (const { title, files } of results) {
    for (const { file, skips } of files) {
      for (const { name, reason } of skips) {
        // Bun puts the names of the groups in front.
        const key = `${file}: ${name.split(" > ").at(-1)}`;
        const test = tests.get(key) ?? { titles: [], reason: null };
        tests.set(key, { titles: [...test.titles, title], reason: test.reason ?? reason });
      }
    }
  }
  const all = [...tests];
  return {
    lines: all.map(([key, { titles, reason }]) =>
      `skipped: ${key} (${titles.join(", ")}): ${reason ?? "no reason was printed"}`
    ),
    unexplained: all.filter(([, { reason }]) => reason === null).length,
  };
}

/**
 * Whether it is a fault that no test ran. With a filter no single file has to have tests, but all of
 * a runtime's together do, unless some were left out: those may be the ones.
 */
export function lacksTests(sums: Totals, leftOut: number): boolean {
  return sums.passed + sums.failed + sums.skipped === 0 && leftOut === 0;
}

/** A line for each reason for which files were left out, with the runtimes and the files. */
export function explainLeftOut(
  results: readonly {
    readonly title: string;
    readonly leftOut: readonly (readonly [file: string, reason: string])[];
  }[],
): string[] {
  const reasons = new Map<string, { titles: Set<string>; files: Set<string> }>();
  for (const { title, leftOut } of results) {
    for (const [file, reason] of leftOut) {
      const { titles, files } = reasons.get(reason) ?? { titles: new Set(), files: new Set() };
      reasons.set(reason, { titles: titles.add(title), files: files.add(file) });
    }
  }
  return [...reasons].map(([reason, { titles, files }]) =>
    `left out in ${[...titles].join(", ")}: ${[...files].join(", ")}: ${reason}`
  );
}

/** How many of the slowest files are listed. */
const SLOWEST = 15;

/** The slowest files, the slowest first: each with its seconds in all runtimes, and in each. */
export function slowestFiles(results: readonly RuntimeFiles[]): string[][] {
  const seconds = (milliseconds: number): string => (milliseconds / 1000).toFixed(1);
  const names = new Set(results.flatMap(({ files }) => files.map(({ file }) => file)));
  return [...names]
    .map((name) => ({
      name,
      times: results.map(({ files }) => files.find(({ file }) => file === name)?.milliseconds),
    }))
    .map((row) => ({ ...row, sum: row.times.reduce((sum: number, time = 0) => sum + time, 0) }))
    .sort((a, b) => b.sum - a.sum)
    .slice(0, SLOWEST)
    .map(({ name, times, sum }) => [
      name,
      seconds(sum),
      ...times.map((time) => time === undefined ? "-" : seconds(time)),
    ]);
}

/** Lines of a failed file's output that are shown once more at the end. */
const SHOWN = 60;

/** A line about a test that passed or was skipped, in each reporter's way. */
const PASSED = /^(?:\(pass\)|\(skip\)|\s*✔|\s*﹣|.* \.\.\. .*(?:ok|ignored))/;

/**
 * What failed: the end of each file's output, then a line for each. It comes last, for whoever has
 * only the end of a log.
 */
export function explainFailures(results: readonly RuntimeFiles[]): string[] {
  const failures = results.flatMap(({ title, files }) =>
    files.filter(({ failed }) => failed > 0).map((file) => ({ title, ...file }))
  );
  const outputs = failures.map(({ title, file, output }) => {
    const lines = output.trimEnd().split("\n").filter((line) => !PASSED.test(line));
    return [`\n--- ${title}: ${file}`, ...lines.slice(-SHOWN)].join("\n");
  });
  const names = failures.map(({ title, file, failed, problem }) =>
    `FAILED: ${title}: ${file}: ${problem ?? `${failed} failed`}`
  );
  return [...outputs, ...names];
}

/** A line for each file that reports more tests in one runtime than in another. */
export function differencesOf(results: readonly RuntimeFiles[]): string[] {
  const counts = new Map<string, Map<string, number>>();
  for (const { title, files } of results) {
    for (const { file, passed, failed, skipped, problem } of files) {
      if (problem !== null) continue;
      const row = counts.get(file) ?? new Map<string, number>();
      counts.set(file, row.set(title, passed + failed + skipped));
    }
  }
  return [...counts]
    .filter(([, row]) => new Set(row.values()).size > 1)
    .map(([file, row]) => {
      const list = [...row].map(([title, count]) => `${count} in ${title}`).join(", ");
      return `note: ${file} reports ${list}`;
    });
}
