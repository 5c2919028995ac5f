/**
 * Asking V8 for a collection. It has a function for it, which programs do not see unless they were
 * started with `--expose-gc`; a new context sees it once the flag is set.
 *
 * @module
 */
import process from "node:process";

/** Collects all that is garbage, and returns when that was done. */
export function collectGarbage(): void {
  // Not imported: `offheap run` need not wait for what it does not use.
  const v8 = process.getBuiltinModule("node:v8");
  const vm = process.getBuiltinModule("node:vm");
  v8.setFlagsFromString("--expose-gc");
  vm.runInNewContext("gc")();
  v8.setFlagsFromString("--no-expose-gc");
}
