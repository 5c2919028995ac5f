/**
 * Whom this process runs as.
 *
 * @module
 */
import process from "node:process";
import { withPermission } from "../../ffi/errors.ts";
import { readTextIfPresent } from "../system/files.ts";
import type { ProcessIdentity } from "./types.ts";

/**
 * Reads this process's users, groups and whether it may gain privileges. Where the system has no
 * users by number, all are 0.
 *
 * @throws {PermissionError} when the runtime may not read them.
 */
export function currentIdentity(): ProcessIdentity {
  const ids = withPermission("determine this process's user", "--allow-sys=uid,gid", () => ({
    uid: process.getuid?.() ?? 0,
    euid: process.geteuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    egid: process.getegid?.() ?? 0,
  }));
  const status = process.platform === "linux" ? readTextIfPresent("/proc/self/status") : null;
  return { ...ids, noNewPrivileges: /^NoNewPrivs:\s*1$/m.test(status ?? "") };
}

/**
 * This process and no other, as the shim's variables name it: its ID and when the kernel started
 * it, `PID.START`. The ID alone may also be a child's in another namespace. Where the system does
 * not report the start, the ID has to do.
 *
 * @throws {PermissionError} when the runtime may not read `/proc`.
 */
export function thisProcess(): string {
  const text = readTextIfPresent("/proc/self/stat") ?? "";
  // The second field is the program's name in parentheses, which may hold blanks; this is the 22nd.
  const start = text.slice(text.lastIndexOf(")") + 1).trim().split(" ")[19];
  return start === undefined ? `${process.pid}` : `${process.pid}.${start}`;
}
