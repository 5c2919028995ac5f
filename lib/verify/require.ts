/**
 * Requiring one allocator: what a program asks of a verification.
 *
 * @module
 */
import process from "node:process";
import { readVariable } from "../environment.ts";
import { VerificationError } from "../errors.ts";
import { LIBRARIES, withPermissions } from "../permissions.ts";
import { ALLOCATORS, findAllocator } from "../allocators/mod.ts";
import { ALLOCATOR_VARIABLE, type AllocatorChoice, selectAllocator } from "../allocators/policy.ts";
import { preloadVariable } from "../system/preload.ts";
import type { Verification } from "./types.ts";
import { verifyAllocator } from "./verify.ts";

/** Those that are part of a C library: `system` means any of them. */
const SYSTEM_ALLOCATORS: readonly string[] = ALLOCATORS.filter(({ library }) => library === null)
  .map(({ name }) => name);

/** Whether a verification proves that a process runs under the allocator asked for. */
export function servesMalloc(
  { processAllocator, processAllocatorVerified }: Verification,
  expected: string,
): boolean {
  const names = findAllocator(expected)?.source === "system" ? SYSTEM_ALLOCATORS : [expected];
  return processAllocatorVerified && names.includes(processAllocator);
}

/**
 * Throws unless this process's `malloc` is served by the allocator, proven. One line at a
 * program's start catches a wrapper that dropped the preload.
 *
 * @param expected The allocator; `auto` is the policy's. Without one it is what `offheap run` takes
 * without an option: that of `OFFHEAP_ALLOCATOR`, else the policy's.
 * @throws {VerificationError} when it is another one, or could not be proven.
 */
export function requireAllocator(expected?: AllocatorChoice): Verification {
  const { allocator } = withPermissions(LIBRARIES, () =>
    selectAllocator({
      platform: process.platform,
      option: expected,
      environment: { [ALLOCATOR_VARIABLE]: readVariable(ALLOCATOR_VARIABLE) },
    }));
  const verification = verifyAllocator({ allocator });
  if (servesMalloc(verification, allocator)) return verification;
  throw new VerificationError(explainMismatch(verification, allocator));
}

function howToChange(expected: string): string {
  const variable = preloadVariable(process.platform);
  return variable === undefined
    ? "This system has no way to put another allocator in front of a process."
    : `Start the program with "offheap run --allocator ${expected} -- …", and see that nothing in ` +
      `between, such as a process manager, drops ${variable}.`;
}

/** Why a process is not under the allocator that was expected, and what to do. */
export function explainMismatch(verification: Verification, expected: string): string {
  const { processAllocator, processAllocatorVersion, processAllocatorVerified } = verification;
  const served = processAllocatorVersion === null
    ? processAllocator
    : `${processAllocator} ${processAllocatorVersion}`;
  const proof = processAllocatorVerified ? "verified" : "not verified";
  const against = verification.evidence
    .filter(({ scope, outcome }) => scope === "process" && outcome === "fail")
    .map(({ check, detail }) => ` ${check}: ${detail}.`);
  return `This process's malloc must be served by ${expected}; it is served by ${served} ` +
    `(${proof}).${against.join("")} ${howToChange(expected)}`;
}
