/**
 * Leaks, reported to the program: a block that was still open when its allocator closed, and blocks
 * that were dropped and that the garbage collector found.
 *
 * ```sh
 * node examples/off-heap/leaks.ts
 * ```
 *
 * @module
 */
import { setImmediate as turn } from "node:timers/promises";
import { type LeakReport, openAllocator } from "../../mod.ts";

let found: LeakReport | undefined;
const memory = openAllocator({
  leaks: "all", // each allocation records its stack: for finding leaks, not for service
  onLeak(leak) {
    found ??= leak;
  },
});

function forgetful(): void {
  memory.allocate(1_048_576);
}

const kept = memory.allocate(100);

// Wrapped memory counts for the collector, so dropping some will have it run at last.
for (let i = 0; found === undefined && i < 2000; i++) {
  forgetful();
  await turn();
}
console.log(`noticed: ${found?.noticed}, ${found?.kind} of ${found?.size} bytes`);
console.log(`allocated in: ${/forgetful/.exec(found?.stack ?? "")?.[0]}`);

found = undefined;
const open = memory.close();
console.log(`closed with the block of 100 bytes open: ${open.some(({ size }) => size === 100)}`);
console.log(`its view has ${kept.bytes.length} elements now`);
