/**
 * `offheap doctor`.
 *
 * @module
 */
import { examineProcess } from "../watch/doctor/doctor.ts";
import { formatEvidence, formatVerdict } from "./output.ts";
import { print, printJson } from "./print.ts";
import type { ReportOptions } from "./report.ts";

/** The options of `offheap doctor`. */
export interface DoctorOptions extends ReportOptions {
  /** The process to look at. */
  readonly pid: number;
}

/** Prints who serves `malloc` in another process. */
export function reportDoctor(options: DoctorOptions): number {
  const report = examineProcess(options.pid);
  if (options.json === true) {
    printJson(report);
    return 0;
  }
  print(`process ${report.pid}: ${report.command.join(" ")}`);
  print(`program: ${report.executable}`);
  print(`malloc: ${report.allocator} ${formatVerdict(report.verified)}`);
  if (report.object !== null) print(`served by: ${report.object}`);
  print(`LD_PRELOAD at its start: ${report.preload.join(" ") || "(not set)"}`);
  print(formatEvidence(report.evidence));
  for (const advice of report.advice) print(`- ${advice}`);
  return 0;
}
