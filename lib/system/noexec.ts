/**
 * File systems from which nothing can be loaded.
 *
 * @module
 */
import { readTextIfPresent } from "./files.ts";
import { mountOf, parseMounts } from "./linux-mounts.ts";

/**
 * Where the file system of a file is mounted, if it is with `noexec`: the dynamic linker maps nothing
 * from there. `null` for any other, and where there is no `/proc`.
 *
 * @param path The file's path, as the process sees it.
 * @param device The file's device number.
 * @param directory The process's directory in `/proc`.
 * @throws {PermissionError} when the runtime does not permit to read it.
 */
export function noexecMount(
  path: string,
  device: bigint,
  directory = "/proc/self",
): string | null {
  const mounts = parseMounts(readTextIfPresent(`${directory}/mountinfo`) ?? "");
  const mount = mountOf(mounts, path, device);
  return mount?.options.includes("noexec") === true ? mount.point : null;
}
