import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { FIXTURES, runChild, runtimeCommand } from "../support/runtime.ts";

interface Seen {
  readonly facts: Readonly<Record<string, unknown>>;
  readonly read: readonly string[];
}

test("what is on Object.prototype is no option and no variable, and loads no library", async () => {
  const { status, stdout, stderr } = await runChild(
    runtimeCommand(join(FIXTURES, "polluted.ts")),
    { variables: { OFFHEAP_LEAKS: undefined } },
  );
  assert.equal(status, 0, stderr);
  const { facts, read } = JSON.parse(stdout) as Seen;
  assert.deepEqual(read, [], "nothing of offheap's reads it");
  assert.doesNotMatch(JSON.stringify(facts), /planted/);
  assert.deepEqual([facts.name, facts.system, facts.selected], Array(3).fill("jemalloc"));
  assert.match(String(facts.library), /libjemalloc/);
  for (const name of ["verified", "info"]) assert.equal(facts[name], facts.library, name);
  assert.match(String(facts.refused), /^LaunchError: .*"\/nonexistent\/command" does not exist/);
});
