// What a sample takes, from the allocation to the end of the block: each block is sampled (the interval
// is 1 KiB, and a block 16). For each line that it reads, prints microseconds of the
// thread's processor time a block: others may use the machine.
import process from "node:process";
import { createInterface } from "node:readline";
import { Buffer } from "node:buffer";

const BLOCK = 16 * 1024;
const COUNT = 5000;
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** So deep below the event loop as a request's handler is. */
function deep(depth) {
  if (depth > 0) return deep(depth - 1);
  const start = process.threadCpuUsage();
  for (let i = 0; i < COUNT; i++) Buffer.allocUnsafeSlow(BLOCK);
  globalThis.gc();
  const { user, system } = process.threadCpuUsage(start);
  return (user + system) / COUNT;
}

for (let i = 0; i < 3; i++) deep(20);
console.log("ready");
for (;;) {
  const { done } = await lines.next();
  if (done) break;
  console.log(deep(20));
}
process.exit(0);
