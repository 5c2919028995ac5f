/**
 * The memory map of a process.
 *
 * @module
 */
import { REPLACED } from "./types.ts";

/** One line of `/proc/PID/maps`. */
export interface Mapping {
  /** The first address. */
  readonly start: number;
  /** The first address past it. */
  readonly end: number;
  /** Where in the file it begins; 0 for memory without a file. */
  readonly offset: number;
  /** Such as `r-xp`. */
  readonly permissions: string;
  /** The mapped file's path; `null` for memory without a file. */
  readonly path: string | null;
  /** Whether the file was removed or replaced since. */
  readonly deleted: boolean;
  /** The file's device and inode, as the kernel writes them; `00:00 0` for memory without a file. */
  readonly identity: string;
}

const LINE = /^([0-9a-f]+)-([0-9a-f]+) (\S+) ([0-9a-f]+) (\S+ \S+) *(.*)$/;

/** Reads the text of a `/proc/PID/maps`. */
export function parseMaps(text: string): Mapping[] {
  const mappings: Mapping[] = [];
  for (const line of text.split("\n")) {
    const [, start = "", end = "", permissions = "", offset = "", identity = "", name = ""] =
      LINE.exec(line) ?? [];
    if (start === "") continue;
    const deleted = name.endsWith(REPLACED);
    const path = deleted ? name.slice(0, -REPLACED.length) : name;
    mappings.push({
      start: Number.parseInt(start, 16),
      end: Number.parseInt(end, 16),
      offset: Number.parseInt(offset, 16),
      permissions,
      // The kernel escapes line feeds, and nothing else.
      path: path.startsWith("/") ? path.replaceAll("\\012", "\n") : null,
      deleted,
      identity,
    });
  }
  return mappings;
}

/** The mapping that holds an address. */
export function findMapping(mappings: readonly Mapping[], address: number): Mapping | undefined {
  return mappings.find(({ start, end }) => address >= start && address < end);
}

/** The files that are mapped; of one that was removed or replaced since, with {@linkcode REPLACED}. */
export function mappedFiles(mappings: readonly Mapping[]): Set<string> {
  return new Set(
    mappings.flatMap(({ path, deleted }) =>
      path === null ? [] : [deleted ? `${path}${REPLACED}` : path]
    ),
  );
}
