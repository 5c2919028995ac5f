/**
 * Is this process served by the allocator that its operating system should have? mimalloc on macOS
 * and Windows, jemalloc on Linux. Prints what was looked at, then PASS or FAIL; the exit status is
 * 0 or 1.
 *
 * Offheap's own blocks must come from it always. The whole process is under it only when it was
 * started so (`offheap run -- …`), which `--process` asks for.
 *
 * ```sh
 * node examples/test-allocator.ts [--process]
 * ```
 *
 * @module
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { type Verification, verifyAllocator } from "../mod.ts";

const EXPECTED: Readonly<Record<string, string>> = {
  darwin: "mimalloc",
  linux: "jemalloc",
  win32: "mimalloc",
};

const { values } = parseArgs({ options: { process: { type: "boolean", default: false } } });
const expected: string = EXPECTED[process.platform] ?? "jemalloc";
const found: Verification = verifyAllocator();

const library: boolean = found.memoryAllocator === expected && found.memoryAllocatorVerified;
const whole: boolean = found.processAllocator === expected && found.processAllocatorVerified;

console.log(`${found.runtime.name} ${found.runtime.version}, ${found.platform}-${found.arch}`);
for (const { scope, check, outcome, detail } of found.evidence) {
  console.log(`  ${scope.padEnd(8)} ${check.padEnd(10)} ${outcome.padEnd(12)} ${detail}`);
}
console.log(
  `offheap's blocks: ${found.memoryAllocator} ${found.memoryAllocatorVersion ?? ""}` +
    ` (${found.memoryAllocatorVerified ? "verified" : "not verified"}), expected ${expected}`,
);
console.log(
  `the process:      ${found.processAllocator} ${found.processAllocatorVersion ?? ""}` +
    ` (${found.processAllocatorVerified ? "verified" : "not verified"}), ` +
    (values.process ? `expected ${expected}` : "only reported"),
);
if (found.runtimeAllocator !== null) console.log(`note: ${found.runtimeAllocator.note}`);

const passed: boolean = library && (whole || !values.process);
console.log(passed ? "PASS" : "FAIL");
process.exitCode = passed ? 0 : 1;
