/**
 * The running program.
 *
 * @module
 */
import { realpathSync } from "node:fs";
import process from "node:process";
import { withPermission } from "../../ffi/errors.ts";

/** The real path of this process's program. */
export function executablePath(): string {
  return withPermission(
    "find the path of this program",
    "--allow-read",
    () => realpathSync(process.execPath),
  );
}
