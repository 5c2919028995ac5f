/**
 * Run by the benchmark in each runtime: what a snapshot takes with a million live blocks.
 *
 * @module
 */
import process from "node:process";
import { median } from "simple-statistics";
import { readGroupFigures } from "../../lib/watch/memory/group.ts";
import { readKernelFigures } from "../../lib/watch/memory/kernel.ts";
import { type AllocatorChoice, openAllocator, processMemory } from "../../mod.ts";

const BLOCKS = 1_000_000;
const LEAST = 16;
const SPREAD = 496;
const LOOKS = 201;
const SLOW_LOOKS = 9;

const [allocator = "auto"] = process.argv.slice(2);
const memory = openAllocator({ allocator: allocator as AllocatorChoice, leaks: "off" });
for (let index = 0; index < BLOCKS; index++) memory.raw.malloc(LEAST + index * 7 % SPREAD);

/** After so many an engine has compiled what a look takes: a program that looks once a second gets there. */
const WARM_LOOKS = 2000;

/** The median, in microseconds; the first look opens what the others use. */
function microseconds(look: () => unknown, looks = LOOKS): number {
  look();
  return median(Array.from({ length: looks }, () => {
    const start = performance.now();
    look();
    return (performance.now() - start) * 1000;
  }));
}

const first = microseconds(() => memory.stats());
for (let looks = 0; looks < WARM_LOOKS; looks++) memory.stats();
console.log(JSON.stringify({
  "stats()": microseconds(() => memory.stats()),
  "stats(), its first 200": first,
  "of /proc, without pages": microseconds(() => readKernelFigures()),
  "of the control groups": microseconds(() => readGroupFigures()),
  "processMemory()": microseconds(() => processMemory()),
  "processMemory({ full: true })": microseconds(() => processMemory({ full: true }), SLOW_LOOKS),
}));
