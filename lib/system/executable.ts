/**
 * The running program.
 *
 * @module
 */
import { realpathSync } from "node:fs";
import process from "node:process";
import { withPermission } from "../../ffi/errors.ts";
import { OffheapError, SystemInfoError } from "../errors.ts";

/**
 * The real path of this process's program.
 *
 * @throws {PermissionError} when the runtime does not permit to look.
 * @throws {SystemInfoError} when the runtime does not know it.
 */
export function executablePath(): string {
  const action = "find the path of this program";
  try {
    return withPermission(action, "--allow-read", () => realpathSync(process.execPath));
  } catch (error) {
    if (error instanceof OffheapError) throw error;
    throw new SystemInfoError(
      `Cannot ${action}: there is no "${process.execPath}". Start the runtime by its full path, or ` +
        "mount /proc, which has it (mount -t proc proc /proc).",
      { cause: error },
    );
  }
}
