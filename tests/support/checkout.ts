/**
 * Copies of this checkout's sources, without what was built and installed.
 *
 * @module
 */
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "./compile.ts";
import { API_CHILD } from "./api.ts";
import { ROOT } from "./runtime.ts";

/** Copies the sources into a fresh directory, and gives its path. */
export function copyCheckout(): string {
  const copy = temporaryDirectory();
  for (const part of ["ffi", "lib"]) {
    cpSync(join(ROOT, part), join(copy, part), { recursive: true });
  }
  cpSync(join(ROOT, "mod.ts"), join(copy, "mod.ts"));
  writeFileSync(join(copy, "package.json"), '{ "type": "module" }\n');
  mkdirSync(join(copy, "tests", "fixtures"), { recursive: true });
  cpSync(API_CHILD, join(copy, "tests", "fixtures", "api-child.ts"));
  return copy;
}
