/**
 * The versions of symbols that an ELF file asks of other libraries.
 *
 * @module
 */
import type { ByteReader } from "../../../lib/binary/bytes.ts";

/** More than any library has: the lists of a damaged file may run in circles. */
const MOST_VERSIONS = 10_000;

/** A version that a library must have. */
export interface ElfVersion {
  /** The library by its file name, such as `libc.so.6`. */
  readonly library: string;
  /** The version, such as `GLIBC_2.17`. */
  readonly version: string;
}

/** Where the needed versions stand: offsets in the file, and how many libraries there are. */
export interface VersionTables {
  /** The first library's entry (DT_VERNEED). */
  readonly first: number;
  /** How many libraries there are (DT_VERNEEDNUM). */
  readonly count: number;
  /** `.dynstr`. */
  readonly strings: number;
}

/** The needed versions in order; both entries have the same layout in 32 and 64 bits. */
export function readVersions(file: ByteReader, tables: VersionTables): ElfVersion[] {
  const found: ElfVersion[] = [];
  // An entry points to the next by a distance; 0 marks the last one.
  for (let left = tables.count, at = tables.first; left > 0 && tables.first > 0; left--) {
    const library = file.string(tables.strings + file.u32(at + 4));
    let version = at + file.u32(at + 8);
    for (let more = file.u16(at + 2); more > 0; more--) {
      if (found.length === MOST_VERSIONS) throw new RangeError("too many versions");
      found.push({ library, version: file.string(tables.strings + file.u32(version + 8)) });
      version += file.u32(version + 12);
    }
    const distance = file.u32(at + 12);
    if (distance === 0) break;
    at += distance;
  }
  return found;
}
