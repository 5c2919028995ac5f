/**
 * Asking V8 for a collection. It has a function for it, which programs do not see unless they were
 * started with `--expose-gc`; a new context sees it once the flag is set.
 *
 * @module
 */
import v8 from "node:v8";
import vm from "node:vm";

/** Collects all that is garbage, and returns when that was done. */
export function collectGarbage(): void {
  v8.setFlagsFromString("--expose-gc");
  vm.runInNewContext("gc")();
  v8.setFlagsFromString("--no-expose-gc");
}
