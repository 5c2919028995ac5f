import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { API_CHILD } from "../support/api.ts";
import { compileProgram } from "../support/compile.ts";
import { FIXTURES, programOf, ROOT, runChild, sourceCommand } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

// The other tests' children are bundles of the sources, where `npm test` runs them.

const CLI = join(ROOT, "lib", "cli.ts");

test("the command line runs from its sources", async () => {
  const { status, stdout, stderr } = await runChild(sourceCommand(CLI, "info", "--json"));
  assert.deepEqual([status, stderr], [0, ""]);
  assert.equal(typeof JSON.parse(stdout), "object");
});

test(
  "the sources run a program under an allocator",
  skipUnless(process.platform === "linux", "it is preloaded as on Linux"),
  async () => {
    const hello = compileProgram("hello.c", "hello-sources");
    const command = sourceCommand(CLI, "run", "--allocator", "mimalloc", "--", hello);
    const { status, stdout, stderr } = await runChild(command);
    assert.deepEqual([status, stdout, stderr], [0, "hello\n", ""]);
  },
);

test("a program imports the sources, and memory is the allocator's", async () => {
  const call = JSON.stringify([["verifyAllocator", { allocator: "jemalloc" }]]);
  const { status, stdout, stderr } = await runChild(sourceCommand(API_CHILD, call));
  assert.equal(status, 0, stderr);
  const [{ value }] = JSON.parse(stdout);
  assert.equal(value.memoryAllocatorVerified, true);
});

test(
  "what is bundled is started in place of a source, and other files as they are",
  skipUnless(process.env.OFFHEAP_TEST_BUNDLE !== undefined, "npm test bundles"),
  () => {
    const scripts = readdirSync(FIXTURES).filter((name) => name.endsWith(".ts"));
    for (const script of [CLI, ...scripts.map((name) => join(FIXTURES, name))]) {
      assert.match(programOf(script), /build.tests.bundles.*\.c?js$/);
    }
    for (const script of [join(FIXTURES, "hello.c"), join("/tmp", "lib", "cli.ts")]) {
      assert.equal(programOf(script), script);
    }
  },
);
