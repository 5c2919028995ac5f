/**
 * Writing the report's files.
 *
 * @module
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Results } from "../suite/results.ts";
import { markdownReport } from "./markdown.ts";
import { reportPage } from "./page.ts";

const FILES: readonly (readonly [string, (results: Results) => string])[] = [
  ["report.md", markdownReport],
  ["report.html", reportPage],
];

/** Writes the report in each form, and gives the files' paths. */
export function writeReport(directory: string, results: Results): string[] {
  return FILES.map(([name, make]) => {
    const path = join(directory, name);
    writeFileSync(path, make(results));
    return path;
  });
}
