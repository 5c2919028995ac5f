/**
 * The slices of a Mach-O file: a universal file holds one for each processor.
 *
 * @module
 */
import { ByteReader, type ByteSource, sliceSource } from "./bytes.ts";
import { APPLE_NAMES, CPU_TYPES, MAGIC, SUBTYPE_MASK, SUBTYPES } from "./macho-constants.ts";

/** One processor's part of a Mach-O file; a file for one processor is a part by itself. */
export interface MachOSlice {
  /** The processor by Node's name (`x64`, `arm64`, …), or `cpu N` for one that is not known. */
  readonly arch: string;
  /** The processor by Apple's name, which distinguishes `arm64e` from `arm64`. */
  readonly cpu: string;
  /** Where it begins in the file, in bytes. */
  readonly offset: number;
  /** Its size in bytes. */
  readonly size: number;
}

interface Layout {
  readonly bits: 32 | 64;
  readonly entryBytes: number;
}

/** `FAT_MAGIC` and `FAT_MAGIC_64`; what is 32 or 64 bits wide are the slices' offsets and sizes. */
const LAYOUTS: Readonly<Record<number, Layout>> = {
  0xcafebabe: { bits: 32, entryBytes: 20 },
  0xcafebabf: { bits: 64, entryBytes: 32 },
};

/** A class file of Java has the same magic number, and a version of at least 45 in this place. */
const MAX_SLICES = 30;
const HEADER_BYTES = 8;

/** The slices of a file; `null` when it is no Mach-O file of 64 bits with the lowest byte first. */
export function readSlices(source: ByteSource): MachOSlice[] | null {
  if (source.read(0, 4).length < 4) return null;
  const file = new ByteReader(source, true, 64);
  if (file.u32(0) === MAGIC.file) {
    return [{ ...processor(file.u32(4), file.u32(8)), offset: 0, size: source.size }];
  }
  const layout = LAYOUTS[new ByteReader(source, false, 32).u32(0)];
  return layout === undefined ? null : readFat(source, layout);
}

/** Whether a file is a Mach-O file of a kind that is not read. */
export function isOtherMachO(source: ByteSource): boolean {
  const magic = new ByteReader(source, true, 64);
  return source.read(0, 4).length === 4 && MAGIC.others.some((other) => other === magic.u32(0));
}

/** The slice for a processor, by Node's or Apple's name; of several, the plain one. */
export function findSlice(slices: readonly MachOSlice[], arch: string): MachOSlice | undefined {
  return slices.find(({ cpu }) => cpu === (APPLE_NAMES[arch] ?? arch)) ??
    slices.find((slice) => slice.arch === arch);
}

function readFat(source: ByteSource, layout: Layout): MachOSlice[] | null {
  const header = new ByteReader(source, false, layout.bits);
  const count = header.u32(4);
  if (count > MAX_SLICES) return null;
  const wordBytes = layout.bits / 8;
  return Array.from({ length: count }, (_, index): MachOSlice => {
    const at = HEADER_BYTES + index * layout.entryBytes;
    const offset = header.word(at + 8);
    const size = header.word(at + 8 + wordBytes);
    // Asserts that it is within the file.
    sliceSource(source, offset, size);
    return { ...processor(header.u32(at), header.u32(at + 4)), offset, size };
  });
}

function processor(type: number, subtype: number): Pick<MachOSlice, "arch" | "cpu"> {
  const arch = CPU_TYPES[type] ?? `cpu ${type}`;
  const cpu = SUBTYPES[arch]?.[subtype & SUBTYPE_MASK] ?? APPLE_NAMES[arch] ?? arch;
  return { arch, cpu };
}
