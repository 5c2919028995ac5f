/**
 * The memory map of a process.
 *
 * @module
 */

/** One line of `/proc/PID/maps`. */
export interface Mapping {
  /** The first address. */
  readonly start: number;
  /** The first address behind it. */
  readonly end: number;
  /** Such as `r-xp`. */
  readonly permissions: string;
  /** The mapped file's path; `null` for memory without a file. */
  readonly path: string | null;
  /** Whether the file was removed or replaced since. */
  readonly deleted: boolean;
}

const LINE = /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)$/;
const DELETED = " (deleted)";

/** Reads the text of a `/proc/PID/maps`. */
export function parseMaps(text: string): Mapping[] {
  const mappings: Mapping[] = [];
  for (const line of text.split("\n")) {
    const [, start = "", end = "", permissions = "", name = ""] = LINE.exec(line) ?? [];
    if (start === "") continue;
    const deleted = name.endsWith(DELETED);
    const path = deleted ? name.slice(0, -DELETED.length) : name;
    mappings.push({
      start: Number.parseInt(start, 16),
      end: Number.parseInt(end, 16),
      permissions,
      // The kernel escapes line feeds, and nothing else.
      path: path.startsWith("/") ? path.replaceAll("\\012", "\n") : null,
      deleted,
    });
  }
  return mappings;
}

/** The mapping that an address lies in. */
export function findMapping(mappings: readonly Mapping[], address: number): Mapping | undefined {
  return mappings.find(({ start, end }) => address >= start && address < end);
}
