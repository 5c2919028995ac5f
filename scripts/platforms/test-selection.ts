/**
 * Which shared test files run in which row. A file runs everywhere unless a line here says
 * otherwise, and why.
 *
 * @module
 */
import type { PlatformRow } from "./matrix.ts";
import type { LeftOut, Way } from "./types.ts";

/** A rule that leaves files out. */
export interface Exception {
  /** The files' names, without `.test.ts`. */
  readonly files: readonly string[];
  /** Whether it holds for a row. */
  readonly when: (row: PlatformRow) => boolean;
  /** Why. */
  readonly reason: string;
}

/** Files that look at the product's own heart: they run in every row that runs anything. */
export const CORE: readonly string[] = [
  "evidence",
  "ffi-conformance",
  "mallctl",
  "memory-arena",
  "memory-block",
  "memory-cached",
  "memory-heap",
  "memory-limits",
  "memory-pool",
  "memory-workers",
  "preload-path",
  "require",
  "resolve",
  "run",
  "shim",
  "system",
  "target",
  "verify",
];

const EMULATED: readonly Way[] = ["qemu", "qemu-musl", "wine"];
const emulated = ({ way }: PlatformRow): boolean => EMULATED.includes(way);

/** Rows whose every file runs: no other command covers them. */
const complete = ({ way, runtime }: PlatformRow): boolean =>
  way === "native" && runtime === "node24";

/** The rules, the most telling reason first. */
export const EXCEPTIONS: readonly Exception[] = [];

/** The reason for files beside the core. */
const BESIDE_CORE = {
  native: "npm test runs it in this runtime",
  other: "it is not about the platform; Node 24 on x64 runs it",
};

/** Parts the files of a row into those that run and those that do not. */
export function selectTests(
  row: PlatformRow,
  files: readonly string[],
): { readonly files: readonly string[]; readonly leftOut: readonly LeftOut[] } {
  const chosen: string[] = [];
  const leftOut: LeftOut[] = [];
  for (const file of files) {
    const name = file.replace(/\.test\.ts$/, "");
    const rule = EXCEPTIONS.find((exception) =>
      exception.files.includes(name) && exception.when(row)
    );
    if (rule !== undefined) leftOut.push({ file, reason: rule.reason });
    else if (complete(row) || CORE.includes(name)) chosen.push(file);
    else {leftOut.push({
        file,
        reason: row.way === "native" ? BESIDE_CORE.native : BESIDE_CORE.other,
      });}
  }
  return { files: chosen, leftOut };
}
void emulated;
