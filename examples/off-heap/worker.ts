/**
 * Memory handed to a worker and back, without copying. Each handle is claimed exactly once.
 *
 * ```sh
 * node examples/off-heap/worker.ts
 * ```
 *
 * @module
 */
import { once } from "node:events";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { BlockError, type BlockHandle, openAllocator } from "../../mod.ts";

const COUNT = 1_000_000;

/** Each thread opens an allocator of its own, over the same library. */
const memory = openAllocator();
if (isMainThread) await main();
else parentPort?.once("message", square);

async function main(): Promise<void> {
  const worker = new Worker(new URL(import.meta.url));
  const block = memory.allocate(COUNT * 8);
  const numbers = block.as(Float64Array);
  for (let i = 0; i < COUNT; i++) numbers[i] = i;

  const handle: BlockHandle = block.transfer();
  console.log(`transferred ${handle.size} bytes; the view has ${numbers.length} elements now`);
  worker.postMessage(handle);
  const [back] = await once(worker, "message") as [BlockHandle];

  try {
    memory.claim(handle);
  } catch (error) {
    if (error instanceof BlockError) console.log(`the first handle: ${error.reason}`);
  }
  const claimed = memory.claim(back);
  const squares = claimed.as(Float64Array);
  console.log(`claimed ${claimed.size} bytes: the last element is ${squares[COUNT - 1]}`);
  claimed.free();
  console.log(`${memory.statistics().unclaimed} unclaimed, ${memory.close().length} left open`);
  await worker.terminate();
}

/** In the worker. */
function square(handle: BlockHandle): void {
  const block = memory.claim(handle);
  const numbers = block.as(Float64Array);
  for (let i = 0; i < numbers.length; i++) numbers[i] = (numbers[i] ?? 0) ** 2;
  parentPort?.postMessage(block.transfer());
  memory.close();
}
