import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { ffi } from "../../ffi/mod.ts";
import { type Allocator, openAllocator } from "../../mod.ts";
import { effort } from "../support/effort.ts";
import { builtLibrary, FIXTURES, runChild, runtimeCommand } from "../support/runtime.ts";
import { type Skipping, skipUnless } from "../support/skip.ts";

const SIZE = 2 ** 20;
const PAGES = SIZE / 4096;
const ROUNDS = effort(15, 50);
/** Written to, so that comparing with them needs no page either. */
const ZEROS = Buffer.alloc(9 * SIZE).fill(1).fill(0);

/** Page faults of this process that needed no disk: the tenth field of proc(5)'s stat. */
function minorFaults(): number {
  const text = readFileSync("/proc/self/stat", "utf8");
  // The name before the second parenthesis may hold anything.
  return Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[7]);
}

/** Zeroed memory that is checked, written to all over, and freed. */
function useZeroed(memory: Allocator, size: number): void {
  const address = memory.raw.calloc(1, size);
  assert.notEqual(address, 0);
  const buffer = ffi().wrap(address, size);
  const bytes = new Uint8Array(buffer);
  assert.ok(ZEROS.subarray(0, size).equals(Buffer.from(buffer)), `${size} bytes are not all zero`);
  bytes.fill(0xa5);
  buffer.transfer(0);
  memory.raw.free(address);
}

function faultsOf(work: () => void): number {
  const before = minorFaults();
  work();
  return minorFaults() - before;
}

/** Whether touching fresh memory is seen in the counter: not under qemu, nor with huge pages. */
function faultsAreCounted(): boolean {
  if (process.platform !== "linux") return false;
  const memory = openAllocator({ allocator: "jemalloc" });
  const faults = faultsOf(() => useZeroed(memory, 9 * SIZE));
  assert.deepEqual(memory.close(), []);
  return faults >= 9 * PAGES;
}

const COUNTED = faultsAreCounted();
const counted = (): Skipping =>
  skipUnless(COUNTED, "the system counts no page fault for each page here");

test("calloc gives zeros again where memory was used before, below, at and above its limit", () => {
  for (const allocator of ["jemalloc", "mimalloc", "system"] as const) {
    const memory = openAllocator({ allocator });
    for (const size of [100, 20_000, SIZE, 8 * SIZE - 1, 8 * SIZE, 9 * SIZE]) {
      for (let round = 0; round < effort(2, 3); round++) useZeroed(memory, size);
    }
    assert.deepEqual(memory.close(), []);
  }
});

test(
  "jemalloc's calloc writes zeros to a megabyte that was used before, and drops no pages",
  counted(),
  () => {
    const memory = openAllocator({ allocator: "jemalloc" });
    useZeroed(memory, SIZE);
    const faults = faultsOf(() => {
      for (let round = 0; round < ROUNDS; round++) useZeroed(memory, SIZE);
    });
    // The runtime itself has some; dropped pages would fault in again in each round.
    assert.ok(
      faults < ROUNDS * PAGES / 4,
      `${faults} page faults in ${ROUNDS} rounds of ${PAGES} pages`,
    );
    assert.deepEqual(memory.close(), []);
  },
);

/** Whether the built jemalloc has the option; 5.3.0 has a limit of its own in its place. */
const hasThreshold = (): Skipping =>
  skipUnless(
    COUNTED &&
      readFileSync(builtLibrary("jemalloc")).includes("calloc_madvise_threshold"),
    "the built jemalloc has no calloc_madvise_threshold, or page faults are not counted here",
  );

test(
  "calloc_madvise_threshold decides where jemalloc drops pages instead",
  hasThreshold(),
  async () => {
    const faultsWith = async (bytes: number): Promise<number> => {
      const command = runtimeCommand(join(FIXTURES, "zeroing-faults.ts"), String(ROUNDS));
      const variables = { MALLOC_CONF: `calloc_madvise_threshold:${bytes}` };
      const { status, stdout, stderr } = await runChild(command, { variables });
      assert.equal(status, 0, stderr);
      return Number(stdout);
    };
    const [dropped, written] = [await faultsWith(SIZE), await faultsWith(2 * SIZE)];
    assert.ok(dropped > ROUNDS * PAGES / 2, `${dropped} page faults where pages are dropped`);
    assert.ok(written < ROUNDS * PAGES / 4, `${written} page faults where zeros are written`);
  },
);
