/**
 * What is mounted where: the contents of `/proc/PID/mountinfo`.
 *
 * @module
 */

/** One mount. */
export interface Mount {
  /** The device of the file system, as `major:minor`. */
  readonly device: string;
  /** Which directory of the file system is mounted. */
  readonly root: string;
  /** Where it is mounted. */
  readonly point: string;
  /** How it is mounted, such as `noexec`. */
  readonly options: readonly string[];
  /** The kind of file system. */
  readonly type: string;
  /** The options of the file system itself. */
  readonly superOptions: readonly string[];
}

/** Reads the contents of such a file, in the order of the mounts. */
export function parseMounts(text: string): Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split("\n")) {
    // A variable number of optional fields ends with a lone hyphen.
    const [before = "", after] = line.split(" - ", 2);
    if (after === undefined) continue;
    const [, , device = "", root = "/", point = "/", options = ""] = before.split(" ")
      .map(unescapeField);
    const [type = "", , superOptions = ""] = after.split(" ");
    mounts.push({
      device,
      root,
      point,
      options: options.split(","),
      type,
      superOptions: superOptions.split(","),
    });
  }
  return mounts;
}

/** A device number as the kernel writes it in text. */
function deviceName(number: bigint): string {
  const major = (number >> 8n & 0xfffn) | (number >> 32n & ~0xfffn);
  const minor = (number & 0xffn) | (number >> 12n & ~0xffn);
  return `${major}:${minor}`;
}

/**
 * The mount that a file is in. By its device, since links may lead to another one than the path
 * says; by its path where no mount has the device (btrfs). Of several at one place the last one
 * covers the others.
 *
 * @param path The file's path, as the process sees it.
 * @param device The file's device number.
 */
export function mountOf(mounts: readonly Mount[], path: string, device: bigint): Mount | null {
  const name = deviceName(device);
  const same = mounts.filter((mount) => mount.device === name);
  return above(same, path) ?? same.at(-1) ?? above(mounts, path);
}

function above(mounts: readonly Mount[], path: string): Mount | null {
  let found: Mount | null = null;
  for (const mount of mounts) {
    const within = mount.point === "/" || path === mount.point ||
      path.startsWith(`${mount.point}/`);
    if (within && mount.point.length >= (found?.point.length ?? 0)) found = mount;
  }
  return found;
}

function unescapeField(field: string): string {
  return field.replace(
    /\\([0-7]{3})/g,
    (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
