/**
 * Whom this process runs as.
 *
 * @module
 */
import process from "node:process";
import { withPermission } from "../../ffi/errors.ts";
import { readTextIfPresent } from "../info/files.ts";
import type { ProcessIdentity } from "./types.ts";

/**
 * Reads this process's users, groups and whether it may gain privileges. Where the system has no
 * users by number, all are 0.
 *
 * @throws {PermissionError} when the runtime may not tell.
 */
export function currentIdentity(): ProcessIdentity {
  const ids = withPermission("tell this process's user", "--allow-sys=uid,gid", () => ({
    uid: process.getuid?.() ?? 0,
    euid: process.geteuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    egid: process.getegid?.() ?? 0,
  }));
  const status = process.platform === "linux" ? readTextIfPresent("/proc/self/status") : null;
  return { ...ids, noNewPrivileges: /^NoNewPrivs:\s*1$/m.test(status ?? "") };
}
