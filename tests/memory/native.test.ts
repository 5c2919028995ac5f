import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { JEMALLOC_SHIM_SYMBOLS } from "../../ffi/symbols/jemalloc.ts";
import { MIMALLOC_SHIM_SYMBOLS } from "../../ffi/symbols/mimalloc.ts";
import { MEMORY_FILES } from "../../packages/build/recipe/shim.ts";
import { compileTo } from "../support/built-once.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { builtLibrary, FIXTURES, ROOT, runChild } from "../support/runtime.ts";
import { ADDRESS_SANITIZERS, sanitizersMissing } from "../support/sanitizers.ts";
import { skipUnless } from "../support/skip.ts";

const NATIVE = join(ROOT, "ffi", "native");
const directory = temporaryDirectory();

const missing = sanitizersMissing(ADDRESS_SANITIZERS);
const sanitized = skipUnless(missing === null, `the compiler has no sanitizers (${missing})`);

function build(name: string, sources: readonly string[]): string {
  const program = join(directory, name);
  const driver = join(FIXTURES, "shim-driver.c");
  const flags = ["-g", "-O1", "-Wall", "-Wextra", "-Werror", "-pthread"];
  return compileTo(program, {
    options: [...flags, ...ADDRESS_SANITIZERS, `-I${NATIVE}`],
    sources: [driver, ...sources],
    after: ["-ldl"],
  });
}

test(
  "the shim's memory functions touch nothing out of place and leak nothing",
  sanitized,
  async () => {
    const program = build("driver", MEMORY_FILES.map((name) => join(NATIVE, name)));
    const libraries = [builtLibrary("jemalloc"), builtLibrary("mimalloc")];
    const variables = { ASAN_OPTIONS: "detect_leaks=1" };
    const { status, stdout, stderr } = await runChild([program, ...libraries], { variables });
    assert.equal(stderr, "");
    assert.equal(stdout, "done\n");
    assert.equal(status, 0);
  },
);

test("the sanitizers do see a block that the shim forgets", sanitized, async () => {
  const broken = join(directory, "owned.c");
  const text = readFileSync(join(NATIVE, "owned.c"), "utf8");
  const changed = text.replace(
    "owned_failed = make_thread_key(&owned_key, thread_ends);",
    () => "(void)thread_ends; owned_failed = make_thread_key(&owned_key, NULL);",
  );
  assert.notEqual(changed, text);
  writeFileSync(broken, changed);
  const others = MEMORY_FILES.filter((name) => name !== "owned.c").map((name) =>
    join(NATIVE, name)
  );
  const { status, stderr } = await runChild([build("broken", [...others, broken])]);
  assert.notEqual(status, 0);
  assert.match(stderr, /LeakSanitizer: detected memory leaks/);
});

test("what the shim binds in the allocators is what the tables export for it", () => {
  const text = readFileSync(join(NATIVE, "bind.c"), "utf8");
  const bound = (kind: string): string[] =>
    [...text.matchAll(new RegExp(`\\{${kind}, SLOT\\(\\w+\\), "(\\w+)"\\}`, "g"))]
      .map(([, name = ""]) => name);
  const own = bound("JEMALLOC").filter((name) => name.endsWith("x"));
  assert.deepEqual(own, [...JEMALLOC_SHIM_SYMBOLS]);
  assert.deepEqual(bound("MIMALLOC"), [...MIMALLOC_SHIM_SYMBOLS]);
});
