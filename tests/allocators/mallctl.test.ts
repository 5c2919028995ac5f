import assert from "node:assert/strict";
import { test } from "node:test";
import { ffi } from "../../ffi/mod.ts";
import { JEMALLOC_PREFIX, JEMALLOC_SYMBOLS } from "../../ffi/symbols/jemalloc.ts";
import type { Address } from "../../ffi/types.ts";
import {
  lookupArena,
  type MallctlCalls,
  readMallctl,
} from "../../lib/allocators/jemalloc/mallctl.ts";
import { builtLibrary } from "../support/runtime.ts";

/** A mallctl that answers every key with one error number, and writes these bytes. */
function answering(errno: number, ...written: number[]): MallctlCalls {
  return {
    mallctl(_key, old) {
      if (old !== null) new Uint8Array(old.buffer, old.byteOffset).set(written);
      return errno;
    },
  };
}

test("a mallctl that fails is an error with its key and number, whatever it wrote", () => {
  const reasons = [
    [1, "it cannot be written, or not now"],
    [
      2,
      "this jemalloc has no such key or number, or was built or started without what it is about",
    ],
    [11, "jemalloc refused it"],
  ] as const;
  for (const [errno, why] of reasons) {
    assert.throws(() => readMallctl(answering(errno, 1), "opt.abort"), {
      name: "MallctlError",
      code: "ERR_OFFHEAP_MALLCTL",
      key: "opt.abort",
      errno,
      message: `Cannot use mallctl: "opt.abort": ${why} (error number ${errno}).`,
    });
  }
});

test("each type of value is read as it is in memory", () => {
  const ones = new Array(8).fill(255);
  assert.equal(readMallctl(answering(0, 1), "opt.abort"), true);
  assert.equal(readMallctl(answering(0, 0), "opt.abort"), false);
  assert.equal(readMallctl(answering(0, 1, 2), "opt.narenas"), 513);
  assert.equal(readMallctl(answering(0, 0, 0, 0, 0, 1), "opt.tcache_max"), 2 ** 32);
  assert.equal(readMallctl(answering(0, ...ones), "opt.dirty_decay_ms"), -1);
  assert.equal(readMallctl(answering(0, ...ones), "thread.allocated"), 2n ** 64n - 1n);
  assert.throws(() => readMallctl(answering(0), "version"), TypeError, "a string that is NULL");
});

test("an arena is known for a block of jemalloc's, and for no address that it denies", () => {
  assert.equal(lookupArena(answering(22), 0x1000 as Address), false);
  const { mallctl, mallocx, dallocx } = JEMALLOC_SYMBOLS;
  const opened = ffi().open(
    builtLibrary("jemalloc"),
    { mallctl, mallocx, dallocx },
    JEMALLOC_PREFIX,
  );
  const block = opened.calls.mallocx(100, 0);
  assert.equal(lookupArena(opened.calls, block), true);
  opened.calls.dallocx(block, 0);
  assert.match(readMallctl(opened.calls, "version"), /^5\./);
  opened.close();
});
