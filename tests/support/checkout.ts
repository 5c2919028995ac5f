/**
 * Copies of this checkout's sources, without what was built and installed.
 *
 * @module
 */
import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "./compile.ts";
import { API_CHILD } from "./api.ts";
import { ROOT } from "./runtime.ts";

/** The module that knows where a system keeps its own allocators. */
export const SYSTEM_MODULE = "lib/library/system-libraries.ts";

/**
 * The text of {@linkcode SYSTEM_MODULE} with other directories: each is below a root, as
 * `ROOT/usr/local/lib`. What is installed on the machine that tests is then not seen, and a test
 * may install what it likes.
 */
export function withSystemBelow(root: string): string {
  const text = readFileSync(join(ROOT, SYSTEM_MODULE), "utf8");
  const place = root.replaceAll("\\", "/");
  const changed = text.replaceAll(/(["`])(?=\/(?:opt|usr)\/)/g, `$1${place}`);
  assert.equal(changed.split(place).length - 1, 7, "the directories of Linux and macOS");
  return changed;
}

/**
 * Copies the sources into a fresh directory, and gives its path. The copy's system is empty, and
 * is below its root.
 */
export function copyCheckout(): string {
  const copy = temporaryDirectory();
  for (const part of ["ffi", "lib"]) {
    cpSync(join(ROOT, part), join(copy, part), { recursive: true });
  }
  writeFileSync(join(copy, SYSTEM_MODULE), withSystemBelow(copy));
  cpSync(join(ROOT, "mod.ts"), join(copy, "mod.ts"));
  writeFileSync(join(copy, "package.json"), '{ "type": "module" }\n');
  mkdirSync(join(copy, "tests", "fixtures"), { recursive: true });
  cpSync(API_CHILD, join(copy, "tests", "fixtures", "api-child.ts"));
  return copy;
}
