// What a sample takes, from the allocation to the end of the block: each block is sampled (the interval
// is 1 KiB, and a block 16). For each line that it reads, prints microseconds a block.
import process from "node:process";
import { createInterface } from "node:readline";
import { Buffer } from "node:buffer";

const BLOCK = 16 * 1024;
const COUNT = 5000;
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** So deep below the event loop as a request's handler is. */
function deep(depth) {
  if (depth > 0) return deep(depth - 1);
  const start = process.hrtime.bigint();
  for (let i = 0; i < COUNT; i++) Buffer.allocUnsafeSlow(BLOCK);
  globalThis.gc();
  return Number(process.hrtime.bigint() - start) / 1000 / COUNT;
}

for (let i = 0; i < 3; i++) deep(20);
console.log("ready");
for (;;) {
  const { done } = await lines.next();
  if (done) break;
  console.log(deep(20));
}
process.exit(0);
