import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { ffi } from "../../ffi/mod.ts";
import { callIndirectly } from "../../ffi/optimised-calls.ts";
import { effort } from "../support/effort.ts";
import { FIXTURES, runChild, runtimeCommand } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const SCRIPT = join(FIXTURES, "hot-calls.ts");
const inNode26 = skipUnless(
  ffi().backend === "node:ffi",
  "only node:ffi leaves the compiler with functions that are gone",
);

test(
  "workers that are ended while native calls are compiled do not end the process",
  inNode26,
  async () => {
    const { status, signal, stdout, stderr } = await runChild(
      runtimeCommand(SCRIPT, "workers", String(effort(4, 30))),
    );
    assert.equal(signal, null, stderr);
    assert.equal(status, 0, stderr);
    assert.equal(stdout, "all ended\n");
  },
);

test("a process that ends while native calls are compiled ends well", inNode26, async () => {
  for (let round = 0; round < effort(1, 12); round++) {
    const children = [1, 2, 3, 4].map(() => runChild(runtimeCommand(SCRIPT, "main")));
    for (const { status, signal, stdout, stderr } of await Promise.all(children)) {
      assert.equal(signal, null, stderr);
      assert.equal(status, 0, stderr);
      assert.equal(stdout, "ended\n");
    }
  }
});

test("an indirect call passes every argument and gives the result back", () => {
  for (const count of [0, 1, 2, 3, 4, 5, 8]) {
    const args = Array.from({ length: count }, (_, index) => index + 1);
    const call = callIndirectly((...got) => got, count);
    for (let round = 0; round < 100; round++) assert.deepEqual(call(...args), args);
  }
});
