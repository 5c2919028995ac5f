/**
 * The tables of a PE file: exports, imports, debug entries.
 *
 * @module
 */
import { DIRECTORY, REPRODUCIBLE_ENTRY } from "./pe-constants.ts";
import { findDirectory, type PeImage, readName, toOffset } from "./pe-image.ts";

/** A symbol that other files can use by its name. */
export interface PeExport {
  /** Its name. */
  readonly name: string;
  /** Its ordinal. */
  readonly ordinal: number;
  /** Its address relative to the image; `null` for a forwarder. */
  readonly address: number | null;
  /** The library and name that answer instead, such as `NTDLL.RtlAllocateHeap`; or `null`. */
  readonly forwarder: string | null;
}

/** A table of libraries: the size of its entries, and the offset in one of the name's address. */
const IMPORT_TABLES = {
  [DIRECTORY.imports]: { entryBytes: 20, nameAt: 12 },
  [DIRECTORY.delayImports]: { entryBytes: 32, nameAt: 4 },
} as const;

const DEBUG_ENTRY_BYTES = 28;
/** More than any file has: the tables of a damaged one may not end. */
const MAX_IMPORTS = 1000;
const MAX_EXPORTS = 65536;

/** The exports that have a name, sorted by it. */
export function readExports(image: PeImage): PeExport[] {
  const { file } = image;
  const directory = findDirectory(image, DIRECTORY.exports);
  if (directory === null) return [];
  const at = toOffset(image, directory.address);
  const base = file.u32(at + 16);
  const functionCount = file.u32(at + 20);
  const nameCount = file.u32(at + 24);
  if (functionCount > MAX_EXPORTS || nameCount > MAX_EXPORTS) {
    throw new RangeError(`${nameCount} exports`);
  }
  if (nameCount === 0) return [];
  const functions = toOffset(image, file.u32(at + 28));
  const names = toOffset(image, file.u32(at + 32));
  const ordinals = toOffset(image, file.u32(at + 36));
  const found = Array.from({ length: nameCount }, (_, index): PeExport => {
    const slot = file.u16(ordinals + 2 * index);
    if (slot >= functionCount) throw new RangeError(`export ${slot} of ${functionCount}`);
    const address = file.u32(functions + 4 * slot);
    // An address in the table of exports itself is that of a forwarder's text.
    const forwards = address >= directory.address && address < directory.address + directory.size;
    return {
      name: readName(image, file.u32(names + 4 * index)),
      ordinal: base + slot,
      address: forwards ? null : address,
      forwarder: forwards ? readName(image, address) : null,
    };
  });
  return found.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/** The libraries of one of the two tables, in order. */
export function readImports(image: PeImage, table: keyof typeof IMPORT_TABLES): string[] {
  const directory = findDirectory(image, table);
  if (directory === null) return [];
  const { entryBytes, nameAt } = IMPORT_TABLES[table];
  const found: string[] = [];
  for (let at = toOffset(image, directory.address);; at += entryBytes) {
    // An entry of zeros is the end, whatever size the directory states.
    const name = image.file.u32(at + nameAt);
    if (name === 0) return found;
    if (found.length === MAX_IMPORTS) throw new RangeError("too many imports");
    found.push(readName(image, name));
  }
}

/** Whether a debug entry says that the time stamp is a hash of the file. */
export function hasReproducibleEntry(image: PeImage): boolean {
  const directory = findDirectory(image, DIRECTORY.debug);
  if (directory === null) return false;
  const start = toOffset(image, directory.address);
  for (let at = start; at + DEBUG_ENTRY_BYTES <= start + directory.size; at += DEBUG_ENTRY_BYTES) {
    if (image.file.u32(at + 12) === REPRODUCIBLE_ENTRY) return true;
  }
  return false;
}
