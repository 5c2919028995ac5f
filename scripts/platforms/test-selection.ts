/**
 * Which shared test files run in which row. A file runs everywhere unless a line here says
 * otherwise, and why.
 *
 * @module
 */
import { testName } from "../testing/files.ts";
import type { PlatformRow } from "./matrix.ts";
import type { LeftOut } from "./types.ts";

/** A rule that leaves files out. */
export interface Exception {
  /** The files' names, as `memory/arena`. */
  readonly files: readonly string[];
  /** Whether it holds for a row. */
  readonly when: (row: PlatformRow) => boolean;
  /** Why. */
  readonly reason: string;
}

/** Files about what differs between platforms: they run in every row that runs anything. */
export const CORE: readonly string[] = [
  "verify/evidence",
  "ffi/conformance",
  "allocators/mallctl",
  "memory/arena",
  "memory/block",
  "memory/cached",
  "memory/heap",
  "memory/limits",
  "memory/pool",
  "memory/workers",
  "run/preload-path",
  "run/require",
  "library/resolve",
  "run/run",
  "ffi/shim",
  "system/system",
  "library/target",
  "verify/other-libraries",
  "verify/verify",
];

const isQemu = ({ way }: PlatformRow): boolean => way === "qemu" || way === "qemu-musl";
const isMusl = ({ way }: PlatformRow): boolean => way === "musl" || way === "qemu-musl";
const isWine = ({ way }: PlatformRow): boolean => way === "wine";

/** The one row that runs every file: no other command covers it. */
export const isComplete = ({ way, runtime }: PlatformRow): boolean =>
  way === "native" && runtime === "node24";

/** Rows of the runtimes of `npm test`. */
const isTested = ({ way, runtime }: PlatformRow): boolean =>
  way === "native" && runtime !== "node24";

/** The rules; the first that holds gives the reason. */
export const EXCEPTIONS: readonly Exception[] = [
  {
    files: [
      "memory/workers",
      "run/require",
      "run/run",
      "ffi/shim",
      "verify/verify",
      "verify/other-libraries",
    ],
    when: isTested,
    reason: "it takes long, and npm test runs it in this runtime",
  },
  {
    files: [
      "run/preload-path",
      "run/require",
      "run/run",
      "ffi/shim",
      "verify/verify",
      "verify/other-libraries",
    ],
    when: isWine,
    reason: "Windows has no preloading, and the files are about it",
  },
  {
    files: ["ffi/conformance"],
    when: isWine,
    reason: "it compiles C with cc before its first test, and wine starts no such program",
  },
  {
    files: ["library/resolve"],
    when: isWine,
    reason: "12 of its 15 tests fail: they name libraries .so, craft ELF files and set " +
      "XDG_CACHE_HOME, which Windows does not use",
  },
  {
    files: ["system/system"],
    when: isWine,
    reason:
      "8 of its 9 tests fail: 4 compile C with cc, the others expect glibc, what it calls its " +
      "places, and symbols of the program, where Windows has those of the C runtime",
  },
  {
    files: [
      "memory/limits",
      "memory/workers",
      "run/require",
      "library/resolve",
      "verify/verify",
      "verify/other-libraries",
    ],
    when: isQemu,
    reason: "it takes one to five minutes under qemu",
  },
  {
    files: ["run/run", "ffi/shim"],
    when: (row) => isQemu(row) || isMusl(row),
    reason: "it runs programs of the machine (sh, env, echo), which are for its own target",
  },
  {
    files: ["run/preload-path"],
    when: (row) => isQemu(row) || isMusl(row),
    reason: "it gives files to another user, and a private namespace has only one",
  },
];

/** The reason for files beside the core. */
const BESIDE_CORE = {
  native: "npm test runs it in this runtime, or in Node 26 for all",
  other: "it is not about the platform; npm test runs it on x64",
};

/** Parts the files of a row, given by their paths, into those that run and those that do not. */
export function selectTests(
  row: PlatformRow,
  paths: readonly string[],
): { readonly files: readonly string[]; readonly leftOut: readonly LeftOut[] } {
  const chosen: string[] = [];
  const leftOut: LeftOut[] = [];
  for (const path of paths) {
    const name = testName(path);
    const rule = EXCEPTIONS.find((exception) =>
      exception.files.includes(name) && exception.when(row)
    );
    if (rule !== undefined) leftOut.push({ file: name, reason: rule.reason });
    else if (isComplete(row) || CORE.includes(name)) chosen.push(name);
    else {leftOut.push({
        file: name,
        reason: row.way === "native" ? BESIDE_CORE.native : BESIDE_CORE.other,
      });}
  }
  return { files: chosen, leftOut };
}
