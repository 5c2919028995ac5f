/**
 * Which functions of an ELF file addresses are in, by its symbols. The tables are read in pieces: of a
 * program of 100 MB and 200,000 symbols only what was asked for is kept.
 *
 * @module
 */
import type { ByteReader } from "./bytes.ts";
import { type ElfImage, readElfImage } from "./elf.ts";
import { SECTION, SEGMENT } from "./elf-constants.ts";
import { lowerBound } from "../sorted.ts";

/** What an ELF file says of some places in it. */
export interface ElfFunctions {
  /** The linker's mark of this very build (NT_GNU_BUILD_ID), in hexadecimal; `null` without one. */
  readonly buildId: string | null;
  /** For each place the name of the function that it is in, mangled; `null` where none is known. */
  readonly names: readonly (string | null)[];
}

const NT_GNU_BUILD_ID = 3;
const GNU = "GNU";

/** Types of symbols that are code: `STT_FUNC`, `STT_GNU_IFUNC`. */
const CODE: readonly number[] = [2, 10];

/** How many symbols are read at once. */
const PIECE = 4096;

/**
 * Finds the functions at some places in an ELF file.
 *
 * @param offsets Where in the file the places are.
 * @throws {ElfError} as {@linkcode readElfImage} does.
 */
export function findFunctions(path: string, offsets: readonly number[]): ElfFunctions {
  return readElfImage(path, (image) => ({
    buildId: buildIdOf(image),
    names: namesAt(image, offsets.map((offset) => toAddress(image, offset))),
  }));
}

/** The address that a place in the file is loaded at; -1 for one that is not loaded. */
function toAddress({ segments }: ElfImage, offset: number): number {
  const segment = segments.find((each) =>
    each.type === SEGMENT.load && offset >= each.offset && offset < each.offset + each.fileSize
  );
  return segment === undefined ? -1 : offset - segment.offset + segment.address;
}

function align4(value: number): number {
  return value + 3 & ~3;
}

function buildIdOf({ file, segments }: ElfImage): string | null {
  for (const { type, offset, fileSize } of segments) {
    if (type !== SEGMENT.note) continue;
    for (let at = offset; at + 12 <= offset + fileSize;) {
      const [nameSize, size, kind] = [file.u32(at), file.u32(at + 4), file.u32(at + 8)];
      const contents = at + 12 + align4(nameSize);
      if (kind === NT_GNU_BUILD_ID && file.text(at + 12, nameSize) === GNU) {
        return Buffer.from(file.bytes(contents, size)).toString("hex");
      }
      at = contents + align4(size);
    }
  }
  return null;
}

/** A table of symbols, and that of their names. */
interface Table {
  readonly offset: number;
  readonly count: number;
  readonly strings: number;
}

/** The whole table where the file was not stripped of it, else what it exports. */
function findTable(file: ByteReader): Table | null {
  const wide = file.bits === 64;
  const headers = file.word(wide ? 40 : 32);
  const headerSize = file.u16(wide ? 58 : 46);
  const count = headers === 0 ? 0 : file.u16(wide ? 60 : 48);
  const field = (index: number, narrowAt: number, wideAt: number): number =>
    file.word(headers + index * headerSize + (wide ? wideAt : narrowAt));
  for (const wanted of [SECTION.symbols, SECTION.dynamicSymbols]) {
    for (let index = 0; index < count; index++) {
      const at = headers + index * headerSize;
      if (file.u32(at + 4) !== wanted) continue;
      const strings = file.u32(at + (wide ? 40 : 24));
      return {
        offset: field(index, 16, 24),
        count: Math.floor(field(index, 20, 32) / (wide ? 24 : 16)),
        strings: field(strings, 16, 24),
      };
    }
  }
  return null;
}

function namesAt(image: ElfImage, addresses: readonly number[]): (string | null)[] {
  const { file } = image;
  const table = findTable(file);
  if (table === null) return addresses.map(() => null);
  const sorted = [...new Set(addresses)].sort((a, b) => a - b);
  /** By the place in `sorted`: the best symbol's start, and where its name is. */
  const starts = new Float64Array(sorted.length).fill(-1);
  const names = new Float64Array(sorted.length);
  eachFunction(file, table, (start, size, name) => {
    for (let at = lowerBound(sorted, start); at < sorted.length; at++) {
      if ((sorted[at] ?? 0) >= start + size) break;
      if ((starts[at] ?? 0) > start) continue;
      starts[at] = start;
      names[at] = name;
    }
  });
  return addresses.map((address) => {
    const at = lowerBound(sorted, address);
    return (starts[at] ?? -1) < 0 ? null : file.string(table.strings + (names[at] ?? 0));
  });
}

function eachFunction(
  file: ByteReader,
  { offset, count }: Table,
  use: (start: number, size: number, name: number) => void,
): void {
  const wide = file.bits === 64;
  const entry = wide ? 24 : 16;
  for (let first = 0; first < count; first += PIECE) {
    const length = Math.min(PIECE, count - first) * entry;
    const bytes = file.bytes(offset + first * entry, length);
    const view = new DataView(bytes.buffer, bytes.byteOffset, length);
    const u32 = (at: number): number => view.getUint32(at, file.littleEndian);
    const word = (at: number): number => {
      if (!wide) return u32(at);
      const [low, high] = file.littleEndian ? [u32(at), u32(at + 4)] : [u32(at + 4), u32(at)];
      return high * 2 ** 32 + low;
    };
    for (let at = 0; at < length; at += entry) {
      if (!CODE.includes(view.getUint8(at + (wide ? 4 : 12)) & 15)) continue;
      const [start, size] = [word(at + (wide ? 8 : 4)), word(at + (wide ? 16 : 8))];
      if (start !== 0 && size !== 0) use(start, size, u32(at));
    }
  }
}
