/**
 * What a careless or hostile program passes in: it is refused in our own words, and nothing of it is
 * kept.
 *
 * @module
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Address, openAllocator } from "../../mod.ts";

const NO_ADDRESS = [undefined, NaN, -1, "x", {}];

/** A bad argument's refusal, as it is documented. */
const FORM = /^(Type|Range)Error: Cannot .+ must .+; got .+$/s;

function refused(call: () => unknown, what = ""): void {
  assert.throws(call, (error) => FORM.test(String(error)) || assert.fail(`${what}: ${error}`));
}

test("the C functions refuse what is no address, and no magazine keeps it", () => {
  for (const debug of [false, true]) {
    const memory = openAllocator({ debug });
    const { raw, cached } = memory;
    for (const bad of NO_ADDRESS as Address[]) {
      refused(() => raw.free(bad), "raw.free");
      refused(() => raw.realloc(bad, 8), "raw.realloc");
      refused(() => raw.usableSize(bad), "raw.usableSize");
      for (const size of [48, 4096, 2 ** 20]) refused(() => cached.free(bad, size), "cached.free");
      refused(() => cached.realloc(bad, 8, 4096), "cached.realloc");
      refused(() => cached.usableSize(bad), "cached.usableSize");
    }
    raw.free(0 as Address);
    cached.free(0 as Address, 48);
    assert.ok(cached.malloc(48) > 0);
    memory.close();
  }
});
