/**
 * `offheap doctor`.
 *
 * @module
 */
import process from "node:process";
import { describeAgent } from "../watch/agent/state.ts";
import { examineProcess, type ProcessReport } from "../watch/doctor/doctor.ts";
import { diagnoseProcess } from "../watch/doctor/memory/diagnose.ts";
import { formatAge } from "../units.ts";
import { formatEvidence, formatVerdict, isTerminal, printable } from "./output.ts";
import { print, printError, printJson } from "./print.ts";
import { printDiagnosis } from "./report-diagnosis.ts";
import type { ReportOptions } from "./report.ts";

/** The options of `offheap doctor`. */
export interface DoctorOptions extends ReportOptions {
  /** The process to look at. */
  readonly pid: number;
  /** For how long to watch its memory, in milliseconds. */
  readonly watch?: number;
  /** What to try. */
  readonly try?: "purge";
  /** Whether to open its inspector. */
  readonly attach?: boolean;
}

/** Prints who serves `malloc` in another process, and where its memory is. */
export async function reportDoctor({ json, ...options }: DoctorOptions): Promise<number> {
  const report = examineProcess(options.pid);
  const memory = await untilInterrupted((signal) => {
    if (options.watch !== undefined && isTerminal()) {
      const time = formatAge(options.watch / 1000);
      printError(`Watching process ${report.pid} for ${time}; Ctrl+C ends it early.\n`);
    }
    return diagnoseProcess(report, { ...options, signal });
  });
  const agent = await describeAgent(options.pid);
  if (json === true) {
    printJson({ ...report, agent, memory });
    return 0;
  }
  printServing(report, agent);
  print("");
  printDiagnosis(memory);
  return 0;
}

function printServing(report: ProcessReport, agent: string | null): void {
  print(`process ${report.pid}: ${printable(report.command.join(" "))}`);
  print(`program: ${printable(report.executable)}`);
  print(`malloc: ${report.allocator} ${formatVerdict(report.verified)}`);
  if (report.object !== null) print(`served by: ${printable(report.object)}`);
  print(`LD_PRELOAD at its start: ${printable(report.preload.join(" ")) || "(not set)"}`);
  if (agent !== null) print(`agent: ${agent}`);
  print(formatEvidence(report.evidence));
  for (const advice of report.advice) print(`- ${printable(advice)}`);
}

/** Has the first Ctrl+C end the watching: what was seen is reported, and an inspector is closed. */
async function untilInterrupted<R>(work: (signal: AbortSignal) => Promise<R>): Promise<R> {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  process.once("SIGINT", abort);
  try {
    return await work(controller.signal);
  } finally {
    process.off("SIGINT", abort);
  }
}
