/**
 * `offheap verify --integrity`.
 *
 * @module
 */
import { basename, dirname } from "node:path";
import process from "node:process";
import {
  type IntegrityReport,
  type LibraryIntegrity,
  verifyIntegrity,
} from "../library/integrity.ts";
import { formatTable, isTerminal, paint, type Tone } from "./output.ts";
import { print, printJson } from "./print.ts";
import type { ReportOptions } from "./report.ts";

const TONES: Readonly<Record<LibraryIntegrity["verdict"], Tone>> = {
  intact: "good",
  altered: "bad",
  "no manifest": "doubtful",
  "not of this release": "bad",
  missing: "bad",
};

const HEAD = ["library", "variant", "verdict", "sha256", "manifest", "release"];

/** As much of a hash as tells two apart by eye; JSON has all of it. */
const SHOWN_DIGITS = 12;

function shorten(hash: string | null): string {
  return hash === null ? "–" : hash.slice(0, SHOWN_DIGITS);
}

function rowOf(library: LibraryIntegrity): string[] {
  const { path, variant, verdict, sha256, manifestSha256, releaseSha256, refusal } = library;
  const tone = refusal === null ? TONES[verdict] : "bad";
  const hashes = [sha256, manifestSha256, releaseSha256].map(shorten);
  // A line that somebody has searched for stands without the place above it.
  return [isTerminal() ? basename(path) : path, variant ?? "–", paint(tone, verdict), ...hashes];
}

function printReport({ version, target, release, libraries }: IntegrityReport): void {
  const hashes = release
    ? "the hashes of this release are in its code"
    : "no release: it has no hashes in its code";
  print(`offheap ${version} for ${target} (${hashes})`);
  if (libraries.length === 0) print("No library is installed.");
  const groups = Map.groupBy(libraries, ({ origin, path }) => `${origin}: ${dirname(path)}`);
  for (const [place, members] of groups) {
    print(`\n${place}`);
    print(formatTable(HEAD, members.map(rowOf)));
  }
}

/** Prints every installed library's hashes. Exit status 1 when one of them would be refused. */
export function reportIntegrity(options: ReportOptions): number {
  const report = verifyIntegrity();
  if (options.json === true) printJson(report);
  else printReport(report);
  for (const { refusal } of report.libraries) {
    if (refusal !== null) process.stderr.write(`offheap: ${refusal}\n`);
  }
  return report.intact ? 0 : 1;
}
