/**
 * `offheap verify --integrity`.
 *
 * @module
 */
import { BUILD_COMMAND } from "../build-command.ts";
import { basename, dirname } from "node:path";
import {
  type IntegrityReport,
  type LibraryIntegrity,
  verifyIntegrity,
} from "../library/integrity.ts";
import { platformPackage } from "../library/places.ts";
import { formatTable, isTerminal, paint, type Tone } from "./output.ts";
import { print, printError, printJson } from "./print.ts";
import type { ReportOptions } from "./report.ts";

const TONES: Readonly<Record<LibraryIntegrity["verdict"], Tone>> = {
  intact: "good",
  altered: "bad",
  "no manifest": "doubtful",
  "not of this release": "bad",
  missing: "bad",
};

const HEAD = ["library", "variant", "verdict", "sha256", "manifest", "release"];

/** As much of a hash as distinguishes two by eye; JSON has all of it. */
const SHOWN_DIGITS = 12;

function shorten(hash: string | null): string {
  return hash === null ? "–" : hash.slice(0, SHOWN_DIGITS);
}

function rowOf(library: LibraryIntegrity): string[] {
  const { path, variant, verdict, sha256, manifestSha256, releaseSha256, refusal } = library;
  const tone = refusal === null ? TONES[verdict] : "bad";
  const hashes = [sha256, manifestSha256, releaseSha256].map(shorten);
  // Somebody who has searched for a line does not see the place above it.
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

/** What keeps a report without refusals from proving anything; `null` for nothing. */
function explainUnproven({ libraries, target }: IntegrityReport): string | null {
  if (libraries.length === 0) {
    return `Cannot verify anything: no library is installed for ${target}. Install ` +
      `${platformPackage(target)}, or build the libraries with "${BUILD_COMMAND}".`;
  }
  if (libraries.some(({ verdict }) => verdict === "intact")) return null;
  return "Cannot verify any library: none of them has a manifest or is of this release.";
}

/**
 * Prints every installed library's hashes. Exit status 1 when one of them would be refused, and
 * when none of them could be proven to be intact.
 */
export function reportIntegrity(options: ReportOptions): number {
  const report = verifyIntegrity();
  if (options.json === true) printJson(report);
  else printReport(report);
  const refusals = report.libraries.map(({ refusal }) => refusal).filter((text) => text !== null);
  const unproven = refusals.length > 0 ? null : explainUnproven(report);
  for (const text of [...refusals, unproven ?? []].flat()) {
    printError(`offheap: ${text}\n`);
  }
  return report.intact && unproven === null ? 0 : 1;
}
