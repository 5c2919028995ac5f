/**
 * `offheap info` and `offheap verify`.
 *
 * @module
 */
import {
  type AllocatorInfo,
  getAllocatorInfo,
  getProcessOptions,
  type ProcessOptions,
} from "../watch/info/allocator-info.ts";
import { healthCheck } from "../watch/info/health-check.ts";
import { getSystemInfo, type SystemInfo } from "../watch/info/system-info.ts";
import { type OwnAgent, ownAgent } from "../verify/agent.ts";
import { processMemory } from "../watch/memory/process-memory.ts";
import type { Verification } from "../verify/types.ts";
import { explainMismatch, servesMalloc } from "../verify/require.ts";
import { verifyAllocator } from "../verify/verify.ts";
import { formatBytes } from "../units.ts";
import {
  formatEvidence,
  formatFields,
  formatVerdict,
  oneLine,
  paint,
  type Tone,
} from "./output.ts";
import { print, printError, printJson } from "./print.ts";
import { printMemory } from "./report-memory.ts";

/** What the reports' options have in common. */
export interface ReportOptions {
  /** Print JSON. */
  readonly json?: boolean;
}

const HEALTH_TONES: Readonly<Record<string, Tone>> = {
  healthy: "good",
  degraded: "doubtful",
  unhealthy: "bad",
};

function nameVersion(name: string, version: string | null): string {
  return version === null ? name : `${name} ${version}`;
}

function describeSystem(info: SystemInfo): (readonly [string, string])[] {
  return [
    ["offheap", info.version],
    ["runtime", `${info.runtime.name} ${info.runtime.version}`],
    ["system", `${info.platform} ${info.arch}, kernel ${info.kernel}, ${info.libc}`],
    ["processors", String(info.cpuCount)],
    ["memory", `${formatBytes(info.totalMemory)}, pages of ${formatBytes(info.pageSize)}`],
    [
      "offheap's blocks",
      `${nameVersion(info.memoryAllocator, info.allocatorVersion)} ` +
      `(${formatVerdict(info.memoryAllocatorVerified)})`,
    ],
    [
      "process's malloc",
      `${nameVersion(info.processAllocator, info.processAllocatorVersion)} ` +
      `(${formatVerdict(info.processAllocatorVerified)})`,
    ],
    ["build", `${info.buildTarget}${info.buildProfile === null ? "" : `, ${info.buildProfile}`}`],
    ["uptime", `${info.uptimeSeconds.toFixed(1)} s`],
  ];
}

function printOptions(title: string, options: AllocatorInfo["options"]): void {
  const names = Object.entries(options);
  if (names.length === 0) return;
  print(`\nOptions in force of ${title}:`);
  print(formatFields(names.map(([name, value]) => [name, String(value)] as const)));
}

/** The process's allocator first: of two, it is the one that an operator has set the options for. */
function printAllOptions(served: ProcessOptions, own: AllocatorInfo): void {
  printOptions(`${served.name}, which serves the process`, served.options);
  if (own.library?.origin === "process") return;
  printOptions(`${own.name}, for offheap's blocks`, own.options);
}

/** Prints what is known of the system, the allocator, and the process's memory and health. */
export function reportInfo(options: ReportOptions): number {
  const info = getSystemInfo();
  const allocator = getAllocatorInfo();
  const served = getProcessOptions();
  const memory = processMemory({ full: true });
  const health = healthCheck();
  if (options.json === true) {
    printJson({ system: info, process: served, allocator, memory, health });
    return 0;
  }
  print(formatFields(describeSystem(info)));
  const unproven = explainUnproven(verifyAllocator());
  if (unproven !== null) print(`\n${oneLine(unproven)}`);
  if (allocator.library !== null) {
    const { path, origin, manifest } = allocator.library;
    print(`\nLibrary: ${path} (${origin}${manifest ? ", hash agrees with its manifest" : ""})`);
  }
  printAllOptions(served, allocator);
  printMemory(memory);
  print(`\nHealth: ${paint(HEALTH_TONES[health.status] ?? "quiet", health.status)}`);
  for (const check of health.checks) {
    print(`  ${paint(HEALTH_TONES[check.status] ?? "quiet", check.status)}: ${check.detail}`);
  }
  return 0;
}

/** The options of `offheap verify`. */
export interface VerifyCommandOptions extends ReportOptions {
  /** The allocator that must serve the process. */
  readonly expect?: string;
}

function formatAgent({ running, atRest, reason }: OwnAgent): string {
  if (!running) return `does not run: ${reason}`;
  if (atRest) return "gives memory back at rest";
  return reason === null
    ? "gives memory back near a limit only"
    : `runs, and gives nothing back at rest: ${reason}`;
}

function printVerification(found: Verification): void {
  const { memoryAllocator, memoryAllocatorVersion, memoryAllocatorVerified } = found;
  const { processAllocator, processAllocatorVersion, processAllocatorVerified } = found;
  const { runtime, platform, arch, libc } = found;
  print(`${runtime.name} ${runtime.version} on ${platform} ${arch} (${libc})`);
  print(
    `process's malloc: ${nameVersion(processAllocator, processAllocatorVersion)} ` +
      formatVerdict(processAllocatorVerified),
  );
  print(
    `offheap's blocks: ${nameVersion(memoryAllocator, memoryAllocatorVersion)} ` +
      formatVerdict(memoryAllocatorVerified),
  );
  const agent = ownAgent();
  if (agent !== null) print(`agent: ${formatAgent(agent)}`);
  if (found.runtimeAllocator !== null) print(`note: ${found.runtimeAllocator.note}.`);
  if (found.library !== null) print(`library: ${found.library.path} (${found.library.origin})`);
  print(formatEvidence(found.evidence));
}

/** What could not be proven of the process or of offheap's blocks; `null` when all was. */
function explainUnproven(found: Verification): string | null {
  const scopes = [
    ["process", found.processAllocatorVerified, "who serves this process's malloc"],
    ["library", found.memoryAllocatorVerified, `offheap's blocks of ${found.memoryAllocator}`],
  ] as const;
  const open = scopes.filter(([, verified]) => !verified);
  if (open.length === 0) return null;
  const against = found.evidence
    .filter(({ scope, outcome }) => outcome === "fail" && open.some(([name]) => name === scope))
    .map(({ check, detail }) => ` ${check}: ${detail.replace(/\.?$/, ".")}`);
  const why = against.length > 0 ? against.join("") : " Nothing that was looked at proves it.";
  return `Cannot verify ${open.map(([, , what]) => what).join(" and ")}.${why}`;
}

/**
 * Prints the verification. Exit status 1 when the expected allocator does not serve the process;
 * without an expectation, when anything that it looks at could not be proven.
 */
export function reportVerification(options: VerifyCommandOptions): number {
  const found = verifyAllocator();
  const { expect, json } = options;
  if (json === true) printJson({ ...found, agent: ownAgent() });
  else printVerification(found);
  if (expect === undefined) {
    const unproven = explainUnproven(found);
    if (unproven === null) return 0;
    printError(`offheap: ${unproven}\n`);
    return 1;
  }
  if (servesMalloc(found, expect)) return 0;
  printError(`offheap: ${explainMismatch(found, expect)}\n`);
  return 1;
}
