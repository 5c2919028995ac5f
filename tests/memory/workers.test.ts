import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { ffi } from "../../ffi/mod.ts";
import { type Allocator, type BlockHandle, openAllocator } from "../../mod.ts";
import { effort, inTurn } from "../support/effort.ts";
import { FIXTURES, programOf, runChild, runtimeCommand } from "../support/runtime.ts";

const SCRIPT = programOf(join(FIXTURES, "memory-worker.ts"));
const NAMES = inTurn("jemalloc", "mimalloc");

interface Message {
  readonly handle?: BlockHandle;
  readonly mark?: number;
  readonly open?: number;
  readonly version?: string;
}

function start(role: string, allocator: string, rounds = 0, seed = 1): Worker {
  return new Worker(new URL(`file://${SCRIPT}`), {
    workerData: { role, allocator, rounds, seed },
  });
}

async function answer(worker: Worker): Promise<Message> {
  const [message] = await once(worker, "message");
  return message;
}

/** Works until the worker has said that it is done: claims what it gives up, and checks it. */
function workThrough(worker: Worker, memory: Allocator): Promise<number> {
  return new Promise((resolve, reject) => {
    let claimed = 0;
    worker.on("error", reject);
    worker.on("message", ({ handle, mark, open }: Message) => {
      if (handle !== undefined) {
        const block = memory.claim(handle);
        const wrong = mark !== 0 && block.bytes.some((byte) => byte !== mark);
        if (wrong) reject(new Error(`a block of ${block.size} bytes came with other contents`));
        block.free();
        claimed++;
      }
      if (open === 0) resolve(claimed);
      else if (open !== undefined) reject(new Error(`${open} blocks were left open`));
    });
  });
}

/** Waits for a fact that another thread brings about at its end. */
async function eventually(holds: () => boolean): Promise<boolean> {
  for (let round = 0; round < 200 && !holds(); round++) await setTimeout(10);
  return holds();
}

for (const allocator of NAMES) {
  test(`${allocator}: a block goes to a worker and back, and a lease to its pool, with what each has written`, async () => {
    const memory = openAllocator({ allocator });
    const worker = start("echo", allocator);
    for (let round = 0; round < 20; round++) {
      const block = memory.allocate(1000, { alignment: 128 });
      block.bytes.fill(round);
      const { bytes } = block;
      const handle = block.transfer();
      worker.postMessage({ handle });
      assert.equal(bytes.length, 0);
      const back = await answer(worker);
      assert.throws(() => memory.claim(handle), { name: "BlockError", reason: "claimed" });
      const claimed = memory.claim(back.handle as BlockHandle);
      assert.equal(claimed.address % 128, 0);
      assert.ok(claimed.bytes.every((byte) => byte === round + 1));
      claimed.free();
    }
    assert.equal(memory.statistics().unclaimed, 0);
    const pool = memory.pool({ blockSize: 1000, alignment: 128, max: 1 });
    for (let round = 0; round < 10; round++) {
      const lease = pool.acquire();
      const { bytes, address } = lease;
      bytes.fill(round);
      worker.postMessage({ handle: lease.transfer() });
      assert.equal(bytes.length, 0);
      assert.throws(() => pool.acquire(), { name: "PoolExhaustedError" }, "its place stays taken");
      assert.deepEqual([pool.statistics().leased, pool.statistics().away], [1, 1]);
      const back = pool.claim((await answer(worker)).handle as BlockHandle);
      assert.equal(back.address, address);
      assert.ok(back.bytes.every((byte) => byte === round + 1));
      back.release();
      assert.deepEqual([pool.statistics().leased, pool.statistics().away], [0, 0]);
    }
    assert.deepEqual([pool.statistics().leases, pool.statistics().allocations], [10, 1]);
    await worker.terminate();
    assert.deepEqual(memory.close(), []);
  });
}

for (const allocator of NAMES) {
  test(`${allocator}: workers allocate, pass and free at once, and one is ended in the middle`, async () => {
    const memory = openAllocator({ allocator });
    const rounds = effort(200, 2000);
    const workers = Array.from(
      { length: effort(3, 8) },
      (_, i) => start("churn", allocator, rounds, i + 1),
    );
    const work = Promise.all(workers.map((worker) => workThrough(worker, memory)));
    const victim = start("churn", allocator, 1e9, 99);
    victim.on("message", ({ handle }: Message) => {
      if (handle !== undefined) memory.claim(handle).free();
    });
    await once(victim, "message");
    const ended = once(victim, "exit");
    void victim.terminate();
    assert.deepEqual(await work, workers.map(() => rounds / 20));
    await ended;
    let unclaimed = -1;
    const still = await eventually(() => {
      const before = unclaimed;
      unclaimed = memory.statistics().unclaimed;
      return unclaimed === before;
    });
    assert.ok(still, "a worker that was ended goes on");
    await Promise.all(workers.map((worker) => worker.terminate()));
    const block = memory.allocate(1000);
    block.bytes.fill(1);
    block.free();
    const left = memory.close().filter(({ noticed }) => noticed !== "unclaimed");
    assert.deepEqual(left, [], "but for what the victim gave away at its end");
  });
}

for (const role of ["claim", "crash"]) {
  test(`a block that is lost with a worker shows in a counter: ${role}`, async () => {
    // The workers that were ended above had another allocator: they may be counted late.
    const memory = openAllocator({ allocator: "system" });
    const before = memory.statistics();
    const worker = start(role, "system");
    await answer(worker);
    const handle = memory.allocate(5000).transfer();
    const errors: unknown[] = [];
    worker.on("error", (error) => errors.push(error));
    const ended = new Promise((resolve) => worker.once("exit", resolve));
    worker.postMessage({ handle });
    if (role === "claim") {
      assert.deepEqual(await answer(worker), { open: 1 });
      await worker.terminate();
    }
    await ended;
    assert.equal(errors.length, role === "crash" ? 1 : 0);
    const lost = () => memory.statistics().lostBlocks - before.lostBlocks;
    assert.ok(await eventually(() => lost() > 0), "nothing was counted");
    const { unclaimed, lostBytes } = memory.statistics();
    assert.deepEqual([lost(), lostBytes - before.lostBytes, unclaimed], [1, 5000, 0]);
    assert.deepEqual(memory.close(), []);
  });
}

test("what waits in a worker's magazines is given back when it exits or is terminated", async () => {
  const script = join(FIXTURES, "worker-magazines.ts");
  const { status, stdout, stderr } = await runChild(runtimeCommand(script, SCRIPT));
  assert.equal(status, 0, stderr);
  assert.equal(stdout, "exit true false\nhold true false\n", "allocated before, and not after");
});

for (const allocator of NAMES) {
  test(`${allocator}: the worker that loads the libraries first may be gone before the second loads`, async () => {
    const script = join(FIXTURES, "workers-in-turn.ts");
    const turns = effort(2, 3);
    const { status, stdout, stderr } = await runChild(
      runtimeCommand(script, SCRIPT, allocator, String(turns)),
    );
    assert.equal(status, 0, stderr);
    assert.equal(stdout, "open 0\n".repeat(turns) + "main 0\n");
  });
}

test("workers are terminated while they wrap or borrow memory, and the process goes on", async () => {
  const script = join(FIXTURES, "terminated-workers.ts");
  // Where Node-API makes the buffers, ending a worker at the wrong moment ended the process.
  const count = ffi().backend === "koffi" ? effort(6, 24) : 4;
  for (let child = 0; child < effort(1, 2); child++) {
    const { status, signal, stdout, stderr } = await runChild(
      runtimeCommand(script, String(count)),
    );
    assert.equal(status, 0, `${signal}: ${stderr}`);
    assert.equal(stdout, "all were terminated\n");
  }
});
