import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { LEFT_TO_LIBC, MALLOC_SYMBOLS, OPERATORS } from "../../ffi/overrides.ts";
import { JEMALLOC_SHIM_SYMBOLS } from "../../ffi/symbols/jemalloc.ts";
import { MIMALLOC_SHIM_SYMBOLS } from "../../ffi/symbols/mimalloc.ts";
import { MEMORY_FILES } from "../../packages/build/recipe/shim.ts";
import { compileTo } from "../support/built-once.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { builtLibrary, FIXTURES, ROOT, runChild } from "../support/runtime.ts";
import {
  ADDRESS_SANITIZERS,
  SANITIZER_VARIABLES,
  sanitizersMissing,
  THREAD_SANITIZER,
} from "../support/sanitizers.ts";
import { skipUnless } from "../support/skip.ts";

const NATIVE = join(ROOT, "ffi", "native");
const directory = temporaryDirectory();

function sanitized(flags: readonly string[]) {
  const missing = sanitizersMissing(flags);
  return skipUnless(missing === null, `the compiler has no sanitizers (${missing})`);
}

/** The shim's sources and a driver; the rest is compiled once for all that differ in one source. */
function build(
  name: string,
  sanitizers: readonly string[],
  apart: string,
  source = join(NATIVE, apart),
): string {
  const warnings = ["-Wall", "-Wextra", "-Werror"];
  const options = ["-g", "-O0", ...warnings, "-pthread", ...sanitizers, `-I${NATIVE}`];
  const others = MEMORY_FILES.filter((file) => file !== apart).map((file) => join(NATIVE, file));
  const rest = compileTo(join(directory, `without-${apart}.o`), {
    options: [...options, "-r"],
    sources: [join(FIXTURES, "shim-driver.c"), ...others],
  });
  return compileTo(join(directory, name), { options, sources: [rest, source], after: ["-ldl"] });
}

/** A source with a part replaced. */
function broken(name: string, part: string, by: string): string {
  const path = join(directory, name);
  const text = readFileSync(join(NATIVE, name), "utf8");
  const changed = text.replaceAll(part, () => by);
  assert.notEqual(changed, text);
  writeFileSync(path, changed);
  return path;
}

for (
  const [finding, flags, apart] of [
    ["touch nothing out of place and leak nothing", ADDRESS_SANITIZERS, "owned.c"],
    ["have no race", THREAD_SANITIZER, "heap.c"],
  ] as const
) {
  test(`the shim's memory functions ${finding}`, sanitized(flags), async () => {
    const program = build("driver", flags, apart);
    const libraries = [builtLibrary("jemalloc"), builtLibrary("mimalloc")];
    const { status, stdout, stderr } = await runChild([program, ...libraries], {
      variables: SANITIZER_VARIABLES,
    });
    assert.equal(stderr, "");
    assert.equal(stdout, "done\n");
    assert.equal(status, 0);
  });
}

test(
  "the sanitizers do see a block that the shim forgets",
  sanitized(ADDRESS_SANITIZERS),
  async () => {
    const source = broken(
      "owned.c",
      "owned_failed = make_thread_key(&owned_key, thread_ends);",
      "(void)thread_ends; owned_failed = make_thread_key(&owned_key, NULL);",
    );
    const { status, stderr } = await runChild(
      [build("forgetful", ADDRESS_SANITIZERS, "owned.c", source)],
      { variables: SANITIZER_VARIABLES },
    );
    assert.notEqual(status, 0);
    assert.match(stderr, /LeakSanitizer: detected memory leaks/);
  },
);

test(
  "the sanitizers do see a lock that the shim forgets",
  sanitized(THREAD_SANITIZER),
  async () => {
    const source = broken("heap.c", " lock(&spare_lock);", " (void)spare_lock;");
    const { status, stderr } = await runChild(
      [build("racing", THREAD_SANITIZER, "heap.c", source)],
      { variables: SANITIZER_VARIABLES },
    );
    assert.notEqual(status, 0);
    assert.match(stderr, /ThreadSanitizer: data race/);
  },
);

test("what the shim binds in the allocators is what the tables export for it", () => {
  const text = readFileSync(join(NATIVE, "bind.c"), "utf8");
  const bound = (kind: string): string[] =>
    [...text.matchAll(new RegExp(`\\{${kind}, SLOT\\(\\w+\\), "(\\w+)"\\}`, "g"))]
      .map(([, name = ""]) => name);
  const own = bound("JEMALLOC").filter((name) => name.endsWith("x"));
  assert.deepEqual(own, [...JEMALLOC_SHIM_SYMBOLS]);
  assert.deepEqual(bound("MIMALLOC"), [...MIMALLOC_SHIM_SYMBOLS]);
});

test("the shim asks the entry points that the launcher knows", () => {
  const listed = (file: string, name: string): string[] => {
    const text = readFileSync(join(NATIVE, "serving", file), "utf8");
    const [, list = ""] = new RegExp(`\\b${name}\\[\\] = \\{([^}]*)\\}`).exec(text) ?? [];
    return [...list.matchAll(/"(\w+)"/g)].map(([, symbol = ""]) => symbol).sort();
  };
  // malloc itself is by whom it goes.
  assert.deepEqual(["malloc", ...listed("elf.c", "FUNCTIONS")].sort(), [...MALLOC_SYMBOLS].sort());
  assert.deepEqual(listed("elf.c", "LEFT_TO_LIBC"), [...LEFT_TO_LIBC].sort());
  assert.deepEqual(listed("elf-operators.c", "OPERATORS"), [...OPERATORS].sort());
});
