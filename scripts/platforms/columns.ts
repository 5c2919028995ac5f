/**
 * Asks a runtime on a platform for the columns of its row.
 *
 * @module
 */
import { join } from "node:path";
import { BUILT_ALLOCATORS, type BuiltAllocator } from "../../lib/allocators/mod.ts";
import type { Verification } from "../../lib/verify/types.ts";
import { ROOT } from "../../tools/paths.ts";
import type { Runtime } from "../../tools/runtimes.ts";
import { runBounded } from "./bounded.ts";
import type { Column, ColumnResult } from "./types.ts";

/** A result, or why it is missing. */
export type Tried<T> = { readonly value: T } | { readonly error: string };

/** What `probe.ts` prints. */
export interface ProbeAnswer {
  /** The runtime's `process.platform`. */
  readonly platform: string;
  /** The runtime's `process.arch`. */
  readonly arch: string;
  /** Whether blocks could be used; `null` when that was not asked. */
  readonly blocks: Tried<string> | null;
  /** What `verifyAllocator` found. */
  readonly verification: Tried<Verification>;
}

/** The answers for one allocator. */
export interface Answers {
  /** The allocator. */
  readonly allocator: BuiltAllocator;
  /** Of a process that uses its blocks. */
  readonly own: Tried<ProbeAnswer>;
  /** Of a process under it; `null` on a system that has no preloading. */
  readonly under: Tried<ProbeAnswer> | null;
}

const PROBE = join("scripts", "platforms", "probe.ts");
const CLI = join("lib", "cli.ts");

/** Runs the probe for each allocator, alone and by `offheap run`. */
export async function askColumns(
  runtime: Runtime,
  options: { readonly preload: boolean; readonly timeout: number },
): Promise<Answers[]> {
  const command = [runtime.binary, ...runtime.spec.run];
  const start = [...(runtime.prefix ?? []), ...command];
  const answers: Answers[] = [];
  for (const allocator of BUILT_ALLOCATORS) {
    const own = await ask([...start, PROBE, allocator, "own"], runtime, options.timeout);
    const launch = [...start, CLI, "run", "--allocator", allocator, "--", ...command];
    const under = options.preload
      ? await ask([...launch, PROBE, allocator, "process"], runtime, options.timeout)
      : null;
    answers.push({ allocator, own, under });
  }
  return answers;
}

async function ask(
  command: readonly string[],
  runtime: Runtime,
  timeout: number,
): Promise<Tried<ProbeAnswer>> {
  const ending = await runBounded(command, { variables: runtime.variables ?? {}, timeout });
  const line = ending.stdout.split("\n").find((text) => text.startsWith('{"platform"'));
  if (line !== undefined) return { value: JSON.parse(line) as ProbeAnswer };
  const said = `${ending.stderr}\n${ending.stdout}`.trim().split("\n").slice(-4).join(" ");
  return { error: `${ending.how}: ${said}`.replaceAll(ROOT, "") };
}

/** The columns of a row from the answers. */
export function columnsOf(answers: readonly Answers[]): Record<Column, ColumnResult> {
  return {
    load: combine(answers, ({ own }) => loaded(own)),
    version: combine(answers, ({ allocator, own }) => version(allocator, own)),
    allocate: combine(answers, ({ own }) => allocated(own)),
    preload: combine(answers, ({ allocator, under }) => preloaded(allocator, under)),
    verify: combine(answers, ({ allocator, own, under }) => verified(allocator, own, under)),
  };
}

/** A column passes when it passes for every allocator. */
function combine(
  answers: readonly Answers[],
  judge: (answers: Answers) => ColumnResult,
): ColumnResult {
  const results = answers.map((one) => ({ ...judge(one), allocator: one.allocator }));
  const worst = results.find(({ outcome }) => outcome === "fail") ?? results[0];
  if (worst === undefined) return { outcome: "fail", detail: "nothing was asked" };
  const details = results.map(({ allocator, detail }) => `${allocator}: ${detail}`);
  const detail = worst.outcome === "absent" ? worst.detail : details.join("; ");
  return { outcome: worst.outcome, detail: detail.replaceAll(ROOT, "") };
}

const pass = (detail: string): ColumnResult => ({ outcome: "pass", detail });
const fail = (detail: string): ColumnResult => ({ outcome: "fail", detail });

function verificationOf(answer: Tried<ProbeAnswer>): Tried<Verification> {
  return "error" in answer ? answer : answer.value.verification;
}

function loaded(own: Tried<ProbeAnswer>): ColumnResult {
  const found = verificationOf(own);
  if ("error" in found) return fail(found.error);
  const { library, evidence } = found.value;
  if (library !== null && library.origin === "build") {
    return pass(
      library.manifest ? "the build's, by its manifest" : "the build's, without manifest",
    );
  }
  if (library !== null) {
    return fail(`"${library.path}" is not this build's but the ${library.origin}'s`);
  }
  return fail(evidence.find(({ check }) => check === "symbol")?.detail ?? "no library");
}

function version(allocator: BuiltAllocator, own: Tried<ProbeAnswer>): ColumnResult {
  const found = verificationOf(own);
  if ("error" in found) return fail(found.error);
  const { memoryAllocator, memoryAllocatorVersion } = found.value;
  if (memoryAllocator === allocator && memoryAllocatorVersion !== null) {
    return pass(memoryAllocatorVersion);
  }
  return fail(`${memoryAllocator} reports ${memoryAllocatorVersion ?? "no version"}`);
}

function allocated(own: Tried<ProbeAnswer>): ColumnResult {
  if ("error" in own) return fail(own.error);
  const { blocks } = own.value;
  if (blocks === null) return fail("was not asked");
  return "error" in blocks ? fail(blocks.error) : pass(blocks.value);
}

function preloaded(allocator: BuiltAllocator, under: Tried<ProbeAnswer> | null): ColumnResult {
  if (under === null) {
    return { outcome: "absent", detail: "this system cannot insert a library into a process" };
  }
  const found = verificationOf(under);
  if ("error" in found) return fail(found.error);
  const { processAllocator, runtimeAllocator } = found.value;
  if (processAllocator !== allocator) return fail(`malloc is served by ${processAllocator}`);
  const own = runtimeAllocator === null
    ? ""
    : `, beside the runtime's own ${runtimeAllocator.name}`;
  return pass(`malloc is served by it${own}`);
}

function verified(
  allocator: BuiltAllocator,
  own: Tried<ProbeAnswer>,
  under: Tried<ProbeAnswer> | null,
): ColumnResult {
  const blocks = verificationOf(own);
  if ("error" in blocks) return fail(blocks.error);
  if (blocks.value.memoryAllocator !== allocator || !blocks.value.memoryAllocatorVerified) {
    return fail(`memory NOT verified: ${refusals(blocks.value, "library")}`);
  }
  if (under === null) return pass("memory verified");
  const process = verificationOf(under);
  if ("error" in process) return fail(process.error);
  if (process.value.processAllocator !== allocator || !process.value.processAllocatorVerified) {
    return fail(`memory verified, process NOT verified: ${refusals(process.value, "process")}`);
  }
  return pass("memory and process verified");
}

function refusals({ evidence }: Verification, scope: "library" | "process"): string {
  const lines = evidence.filter((item) => item.scope === scope && item.outcome !== "pass");
  return lines.map(({ check, detail }) => `${check}: ${detail}`).join(", ") || "no evidence";
}
