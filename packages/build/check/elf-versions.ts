/**
 * The versions of symbols that an ELF file asks of other libraries.
 *
 * @module
 */
import { DYNAMIC } from "../../../lib/binary/elf-constants.ts";
import { dynamicOffset, type ElfImage, readElfImage } from "../../../lib/binary/elf.ts";

/** More than any library has: the lists of a damaged file may run in circles. */
const MAX_VERSIONS = 10_000;

/** A version that a library must have. */
export interface ElfVersion {
  /** The library by its file name, such as `libc.so.6`. */
  readonly library: string;
  /** The version, such as `GLIBC_2.17`. */
  readonly version: string;
}

/**
 * Reads the versions of symbols that the ELF file at a path asks of the libraries it needs, such as
 * `GLIBC_2.17` of `libc.so.6`: it cannot be loaded where a library has not all of them.
 *
 * @throws {ElfError} when it is not an ELF file, or is truncated or damaged.
 */
export function readElfVersions(path: string): ElfVersion[] {
  return readElfImage(path, readVersions);
}

/** The needed versions in order; both entries have the same layout in 32 and 64 bits. */
function readVersions(image: ElfImage): ElfVersion[] {
  const { file, dynamic } = image;
  const first = dynamicOffset(image, DYNAMIC.versions);
  const strings = dynamicOffset(image, DYNAMIC.strings);
  const count = first > 0 ? dynamic.get(DYNAMIC.versionCount)?.[0] ?? 0 : 0;
  const found: ElfVersion[] = [];
  // An entry points to the next by a distance; 0 marks the last one.
  for (let left = count, at = first; left > 0; left--) {
    const library = file.string(strings + file.u32(at + 4));
    let version = at + file.u32(at + 8);
    for (let more = file.u16(at + 2); more > 0; more--) {
      if (found.length === MAX_VERSIONS) throw new RangeError("too many versions");
      found.push({ library, version: file.string(strings + file.u32(version + 8)) });
      version += file.u32(version + 12);
    }
    const distance = file.u32(at + 12);
    if (distance === 0) break;
    at += distance;
  }
  return found;
}
