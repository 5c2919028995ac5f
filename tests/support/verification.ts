/**
 * Verification in a process of its own, and what its evidence has to say.
 *
 * @module
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { VerifyOptions } from "../../lib/verify/options.ts";
import type { Evidence, Verification } from "../../lib/verify/types.ts";
import { IS_MUSL } from "./libc.ts";
import { FIXTURES, runChild, runtimeCommand } from "./runtime.ts";

/** Prints what `verifyAllocator()` finds. */
export const CHILD = join(FIXTURES, "verify-child.ts");
/** The allocators that offheap builds. */
export const ALLOCATORS = ["jemalloc", "mimalloc"] as const;

/** What `verifyAllocator()` finds in a process of its own. */
export async function verify(
  options: VerifyOptions,
  preload: readonly string[] = [],
  where: "main" | "worker" = "main",
): Promise<Verification> {
  const command = runtimeCommand(CHILD, JSON.stringify(options), where);
  const variables = preload.length === 0 ? {} : { LD_PRELOAD: preload.join(":") };
  const { status, signal, stdout, stderr } = await runChild(command, { variables });
  assert.equal(status, 0, `the child ended with ${signal ?? status}: ${stderr}`);
  return JSON.parse(stdout) as Verification;
}

/** The item of evidence of a check. */
export function find(found: Verification, scope: string, check: string): Evidence {
  const item = found.evidence.find((one) => one.scope === scope && one.check === check);
  assert.ok(item, `there is no evidence ${scope}/${check}`);
  return item;
}

/** Checks that these checks passed. */
export function assertPasses(found: Verification, scope: string, checks: readonly string[]): void {
  for (const check of checks) {
    const { outcome, detail } = find(found, scope, check);
    assert.equal(outcome, "pass", `${scope}/${check}: ${detail}`);
  }
}

/** What is asked of a library that offheap built. */
export const ALL_OF_LIBRARY: readonly string[] = [
  "symbol",
  "version",
  "ownership",
  "hash",
  "mapping",
];
/** What is asked of an allocator that serves the process. */
export const ALL_OF_PROCESS: readonly string[] = [
  "symbol",
  "version",
  "serving-object",
  "ownership",
  "entries",
  "mapping",
];

/** musl reports no version, and has no counters. */
export const ALL_OF_LIBC: readonly string[] = IS_MUSL
  ? ["symbol", "serving-object", "ownership", "entries", "mapping"]
  : [...ALL_OF_PROCESS, "counter"];

/** mimalloc counts for the whole process, and may have committed a block before. */
export function assertCounters(found: Verification, allocator: string): void {
  const counters = found.evidence.filter(({ check }) => check === "counter");
  const wanted = allocator === "jemalloc" ? ["pass"] : ["pass", "unavailable"];
  for (const { outcome, detail } of counters) assert.ok(wanted.includes(outcome), detail);
}

/** The C library of this machine. */
export const LIBC: "musl" | "glibc" = IS_MUSL ? "musl" : "glibc";

/** Checks whom the process was found to be served by. */
export function assertProcess(found: Verification, allocator: string, verified: boolean): void {
  const said = JSON.stringify(found.evidence, null, 1);
  assert.equal(found.processAllocator, allocator, said);
  assert.equal(found.processAllocatorVerified, verified, said);
}
