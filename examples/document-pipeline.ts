/**
 * A document pipeline: reads files of several formats, parses them, compresses the pieces on the
 * thread pool, keeps some of the results, and does so for many rounds. Nearly all of its memory is
 * asked for by native threads and freed by others, which is what allocators differ in.
 *
 * ```sh
 * node examples/document-pipeline.ts [--json] [--rounds N] [--idle MS]
 * ```
 *
 * @module
 */

import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type Verification, verifyAllocator } from "../mod.ts";
import { measureMemory, type Memory } from "./document-pipeline/memory.ts";
import { processDocuments, type Work } from "./document-pipeline/work.ts";

/** What a run prints with `--json`. Sizes are in bytes. */
export interface PipelineResult extends Work, Memory {
  /** How long the work took, without the start of the process and the idle time. */
  readonly milliseconds: number;
  /** Which allocator served it, and how that is known. */
  readonly verification: Verification;
}

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "7" },
    idle: { type: "string", default: "6000" },
  },
});

const start: number = performance.now();
const work: Work = await processDocuments(wholeNumber("--rounds", values.rounds));
const milliseconds: number = Math.round(performance.now() - start);
// A server idles between its bursts: what it then still holds is what its host pays for.
await sleep(wholeNumber("--idle", values.idle));
const memory: Memory = measureMemory();
// Last, so that looking costs the figures nothing.
const verification: Verification = verifyAllocator();

const result: PipelineResult = { ...work, ...memory, milliseconds, verification };
console.log(values.json ? JSON.stringify(result) : describe(result));

function wholeNumber(option: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0 && text.trim() !== "") return value;
  console.error(`Cannot run: ${option} must be a whole number of at least 0; got "${text}"`);
  process.exit(2);
}

function describe(result: PipelineResult): string {
  const { verification } = result;
  const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  return [
    `runtime      ${verification.runtime.name} ${verification.runtime.version}`,
    `allocator    ${verification.processAllocator} ` +
    `(${verification.processAllocatorVerified ? "verified" : "not verified"})`,
    `documents    ${result.documents}, ${result.sections} sections, ${result.chunks} chunks`,
    `bytes        ${mebibytes(result.bytesIn)} in, ${mebibytes(result.bytesOut)} compressed`,
    `checksum     ${result.checksum}`,
    `time         ${result.milliseconds} ms`,
    `memory       ${mebibytes(result.peakRss)} at the peak, ${mebibytes(result.rss)} at the end`,
  ].join("\n");
}
