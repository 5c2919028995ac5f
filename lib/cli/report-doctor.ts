/**
 * `offheap doctor`.
 *
 * @module
 */
import { examineProcess } from "../watch/doctor/doctor.ts";
import { describeAgent } from "../watch/agent/state.ts";
import { formatEvidence, formatVerdict } from "./output.ts";
import { print, printJson } from "./print.ts";
import type { ReportOptions } from "./report.ts";

/** The options of `offheap doctor`. */
export interface DoctorOptions extends ReportOptions {
  /** The process to look at. */
  readonly pid: number;
}

/** Prints who serves `malloc` in another process. */
export async function reportDoctor(options: DoctorOptions): Promise<number> {
  const report = examineProcess(options.pid);
  const agent = await describeAgent(options.pid);
  if (options.json === true) {
    printJson({ ...report, agent });
    return 0;
  }
  print(`process ${report.pid}: ${report.command.join(" ")}`);
  print(`program: ${report.executable}`);
  print(`malloc: ${report.allocator} ${formatVerdict(report.verified)}`);
  if (report.object !== null) print(`served by: ${report.object}`);
  print(`LD_PRELOAD at its start: ${report.preload.join(" ") || "(not set)"}`);
  if (agent !== null) print(`agent: ${agent}`);
  print(formatEvidence(report.evidence));
  for (const advice of report.advice) print(`- ${advice}`);
  return 0;
}
