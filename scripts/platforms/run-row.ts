/**
 * Tries one row of the matrix.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { pinnedPackage } from "../../tools/packages/npm-package.ts";
import { ROOT } from "../../tools/paths.ts";
import {
  findRuntimes,
  NODE24,
  type Runtime,
  RUNTIMES,
  type RuntimeSpec,
} from "../../tools/runtimes.ts";
import { runBounded } from "./bounded.ts";
import { askColumns, columnsOf } from "./columns.ts";
import { type Emulation, prepare } from "./emulation.ts";
import { type PlatformRow, runtimePackage } from "./matrix.ts";
import { runSharedTests } from "./shared-tests.ts";
import { buildHint, checkFiles, missingLibraries } from "./static-check.ts";
import {
  type Column,
  type ColumnResult,
  COLUMNS,
  type PlatformRuntime,
  type RowReport,
  type Way,
} from "./types.ts";

/** How rows are tried. */
export interface RowOptions {
  /** Whether the shared tests run. */
  readonly sharedTests: boolean;
  /** Files at once. */
  readonly jobs: number;
  /** Is given what is to be seen while it runs. */
  readonly write: (text: string) => void;
}

const PROBE_MS: Readonly<Record<"native" | "other", number>> = { native: 60_000, other: 120_000 };
const FILE_MS: Readonly<Record<"native" | "other", number>> = { native: 300_000, other: 300_000 };

/** Tries a row; never throws for what is wrong with the platform, the report says it. */
export async function runRow(row: PlatformRow, options: RowOptions): Promise<RowReport> {
  const start = performance.now();
  const report = await tryRow(row, options);
  return { ...report, milliseconds: Math.round(performance.now() - start) };
}

type Report = Omit<RowReport, "milliseconds">;

async function tryRow(row: PlatformRow, options: RowOptions): Promise<Report> {
  const { target, runtime: name, way } = row;
  if (way === "static" || name === null) return staticReport(row);
  const missing = missingLibraries(target);
  if (missing.length > 0) {
    return fixed(row, {
      outcome: "fail",
      detail: `${missing.join(", ")} is missing: ${buildHint(target)}`,
    });
  }
  const found = await findRuntime(row, name);
  if ("reason" in found) return fixed(row, { outcome: found.outcome, detail: found.reason });
  const { runtime, emulation } = found;
  const kind = way === "native" ? "native" : "other";
  const preload = !target.startsWith("win32-");
  const columns = columnsOf(await askColumns(runtime, { preload, timeout: PROBE_MS[kind] }));
  for (const column of COLUMNS) {
    const { outcome, detail } = columns[column];
    if (outcome === "fail") options.write(`  ${column}: FAILED: ${detail}`);
  }
  const tests = options.sharedTests
    ? await runSharedTests(row, runtime, { ...options, timeout: FILE_MS[kind] })
    : null;
  const { version } = runtime;
  return { target, runtime: name, version, way, columns, tests, notes: emulation.notes };
}

/** The same result for every column. */
function fixed(row: PlatformRow, result: ColumnResult): Report {
  const entries = COLUMNS.map((column): [Column, ColumnResult] => [column, result]);
  const columns = Object.fromEntries(entries) as Record<Column, ColumnResult>;
  return { ...row, version: null, columns, tests: null, notes: [] };
}

function staticReport(row: PlatformRow): Report {
  const files = checkFiles(row.target);
  const unknown: ColumnResult = { outcome: "skipped", detail: "nothing runs it here" };
  const { columns, ...rest } = fixed(row, unknown);
  return { ...rest, columns: { ...columns, load: files }, notes: ["only the files are checked"] };
}

type FoundRuntime =
  | { readonly runtime: Runtime; readonly emulation: Emulation }
  | { readonly outcome: "fail" | "skipped"; readonly reason: string };

function specOf(name: PlatformRuntime): RuntimeSpec {
  return RUNTIMES.find((spec) => spec.name === name) ?? NODE24;
}

/** Finds or fetches a row's runtime, and starts it once: a version is what it prints itself. */
async function findRuntime(row: PlatformRow, name: PlatformRuntime): Promise<FoundRuntime> {
  const spec = specOf(name);
  const packaged = runtimePackage(row.target, name);
  const chosen = process.env[spec.variable] ?? "";
  if (row.way === "native" && (packaged === null || chosen !== "")) {
    const { found: [runtime], missing: [missing] } = await findRuntimes([spec]);
    return runtime === undefined
      ? { outcome: "fail", reason: missing?.reason ?? `${spec.title} is missing` }
      : { runtime, emulation: prepare("native") };
  }
  if (packaged === null) {
    return { outcome: "skipped", reason: `no build of ${spec.title} is known` };
  }
  let emulation: Emulation;
  let binary: string;
  try {
    emulation = prepare(row.way);
    binary = emulation.place(join(pinnedPackage(packaged.name, packaged.version), packaged.file));
  } catch (error) {
    return { outcome: "skipped", reason: error instanceof Error ? error.message : String(error) };
  }
  if (!existsSync(binary)) {
    return { outcome: "fail", reason: `${packaged.name} has no ${packaged.file}` };
  }
  return await start(spec, binary, row.way, emulation);
}

async function start(
  spec: RuntimeSpec,
  binary: string,
  way: Way,
  emulation: Emulation,
): Promise<FoundRuntime> {
  const { prefix, variables, root } = emulation;
  const timeout = PROBE_MS[way === "native" ? "native" : "other"];
  const ending = await runBounded([...prefix, binary, "--version"], { variables, timeout });
  const version = /(\d+)\.(\d+)\.(\d+)/.exec(ending.stdout);
  if (version === null) {
    const said = ending.stderr.trim().split("\n").slice(-3).join(" ").replaceAll(ROOT, "");
    return { outcome: "fail", reason: `${spec.title} does not start (${ending.how}): ${said}` };
  }
  if (!spec.fits(Number(version[1]), Number(version[2]))) {
    return { outcome: "fail", reason: `${spec.title} is version ${version[0]}` };
  }
  return { runtime: { spec, binary, version: version[0], prefix, variables, root }, emulation };
}
