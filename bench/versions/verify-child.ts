/**
 * Verifies the process it runs in, again and again: `verify-child.ts <allocator> <times>`. Prints how
 * often the allocator was proven, for the process and for offheap's own blocks, as one line of JSON.
 *
 * @module
 */
import process from "node:process";
import { verifyAllocator } from "../../mod.ts";

const [allocator, times] = process.argv.slice(-2);
let proven = 0;
let problem: string | null = null;
for (let i = 0; i < Number(times); i++) {
  const report = verifyAllocator({ refresh: true });
  const own = report.processAllocator === allocator && report.processAllocatorVerified;
  if (own && report.memoryAllocatorVerified) proven++;
  else {
    problem ??= report.evidence.filter(({ outcome }) => outcome === "fail")
      .map(({ scope, check, detail }) => `${scope}, ${check}: ${detail}`).join("; ") ||
      `malloc is served by ${report.processAllocator}, ` +
        (report.processAllocatorVerified ? "verified" : "not verified");
  }
}
console.log(JSON.stringify({ proven, times: Number(times), problem }));
