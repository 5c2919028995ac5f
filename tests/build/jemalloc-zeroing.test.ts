import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { limitZeroing } from "../../packages/build/recipe/jemalloc-zeroing.ts";
import { temporaryDirectory } from "../support/compile.ts";

const DECISION = "\t\tneeds_memset = pages_purge_forced(addr, size);\n";
const root = temporaryDirectory();

/** A source tree with these files below src/. */
function sourceWith(name: string, files: Readonly<Record<string, string>>): string {
  const directory = join(root, name);
  mkdirSync(join(directory, "src"), { recursive: true });
  for (const [file, text] of Object.entries(files)) {
    writeFileSync(join(directory, "src", file), text);
  }
  return directory;
}

test("jemalloc's source is given the limit where it decides to drop pages, and nowhere else", () => {
  const before = "int before;\n";
  const after = "pages_purge_forced(other);\n";
  const text = before + DECISION + after;
  const source = sourceWith("5.3.0", { "jemalloc.c": "", "ehooks.c": text });
  assert.equal(limitZeroing(source), true);
  const limited = "\t\tneeds_memset = size < 8388608 || pages_purge_forced(addr, size);\n";
  assert.equal(readFileSync(join(source, "src/ehooks.c"), "utf8"), before + limited + after);
});

test("a version with an option of its own, or from before the decision, is left alone", () => {
  const option = "CONF_HANDLE_SIZE_T(opt_calloc_madvise_threshold)";
  const newer = sourceWith("5.3.1", { "jemalloc.c": option, "ehooks.c": DECISION });
  assert.equal(limitZeroing(newer), false);
  assert.equal(readFileSync(join(newer, "src/ehooks.c"), "utf8"), DECISION);
  assert.equal(limitZeroing(sourceWith("5.2.1", { "jemalloc.c": "" })), false);
});

test("a source that decides otherwise, or twice, is refused", () => {
  for (const [name, text] of [["none", "needs_memset = true;"], ["two", DECISION + DECISION]]) {
    const source = sourceWith(name ?? "", { "jemalloc.c": "", "ehooks.c": text ?? "" });
    assert.throws(() => limitZeroing(source), {
      name: "BuildError",
      message: /its src\/ehooks\.c must have "needs_memset = .*" once/,
    });
  }
});
