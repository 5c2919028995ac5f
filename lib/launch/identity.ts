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

/**
 * When the kernel started this process, as `/proc` tells it: with the process's number it names this
 * process and no other, in any namespace. Empty where the system does not tell.
 */
export function processStart(): string {
  const text = readTextIfPresent("/proc/self/stat") ?? "";
  // The second field is the program's name in parentheses, which may hold blanks; this is the 22nd.
  return text.slice(text.lastIndexOf(")") + 1).trim().split(" ")[19] ?? "";
}
