/**
 * What differs between C libraries, for tests that ask either.
 *
 * @module
 */
import process from "node:process";
import { system } from "../../lib/system/mod.ts";
import { type Skipping, skipUnless } from "./skip.ts";

/** Whether this process's C library is musl. */
export const IS_MUSL: boolean = process.platform === "linux" && system().libc().name === "musl";

/** The options of a test that looks whether a library was unloaded. */
export function unloading(): Skipping {
  return skipUnless(!IS_MUSL, "musl keeps a library until the process ends");
}
