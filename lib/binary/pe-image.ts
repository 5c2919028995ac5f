/**
 * The headers, sections and data directories of a PE file.
 *
 * @module
 */
import { ByteReader, type ByteSource } from "./bytes.ts";

/** A table that the optional header points to. */
export interface DataDirectory {
  /** Its address relative to the image; 0 when there is none. */
  readonly address: number;
  /** Its size in bytes. */
  readonly size: number;
}

interface Section {
  readonly address: number;
  readonly offset: number;
  readonly size: number;
}

/** A PE file that is being read. */
export interface PeImage {
  /** Reads numbers. */
  readonly file: ByteReader;
  /** Where the COFF header begins. */
  readonly header: number;
  /** Where the optional header begins. */
  readonly optional: number;
  /** The data directories by number. */
  readonly directories: readonly DataDirectory[];
  /** The sections; the headers of the file count as one. */
  readonly sections: readonly Section[];
}

const COFF_BYTES = 20;
const SECTION_BYTES = 40;
const DIRECTORIES_AT = 112;
const MAX_DIRECTORIES = 16;

/** Opens a file whose COFF header begins at an offset. */
export function openImage(source: ByteSource, header: number): PeImage {
  const file = new ByteReader(source, true, 64);
  const optional = header + COFF_BYTES;
  const optionalBytes = file.u16(header + 16);
  const count = Math.min(file.u32(optional + 108), MAX_DIRECTORIES);
  if (DIRECTORIES_AT + count * 8 > optionalBytes) throw new RangeError(`${count} directories`);
  const directories = Array.from({ length: count }, (_, index): DataDirectory => {
    const at = optional + DIRECTORIES_AT + index * 8;
    return { address: file.u32(at), size: file.u32(at + 4) };
  });
  const headers: Section = { address: 0, offset: 0, size: file.u32(optional + 60) };
  const table = optional + optionalBytes;
  const sections = Array.from({ length: file.u16(header + 2) }, (_, index): Section => {
    const at = table + index * SECTION_BYTES;
    return { address: file.u32(at + 12), size: file.u32(at + 16), offset: file.u32(at + 20) };
  });
  for (const { offset, size } of [headers, ...sections]) {
    if (size > 0 && offset + size > source.size) {
      throw new RangeError("a section ends past the end of the file");
    }
  }
  return { file, header, optional, directories, sections: [headers, ...sections] };
}

/** A data directory by number; `null` when the file has none. */
export function findDirectory({ directories }: PeImage, index: number): DataDirectory | null {
  const directory = directories[index];
  return directory === undefined || directory.address === 0 ? null : directory;
}

/** The offset in the file of an address of the image. */
export function toOffset({ sections }: PeImage, address: number): number {
  const section = sections.find((candidate) =>
    address >= candidate.address && address < candidate.address + candidate.size
  );
  if (section === undefined) throw new RangeError(`address ${address} is in no section`);
  return address - section.address + section.offset;
}

/** The NUL-terminated string at an address of the image. */
export function readName(image: PeImage, address: number): string {
  return image.file.string(toOffset(image, address));
}
