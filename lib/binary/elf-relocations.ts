/**
 * The places in an ELF file that the dynamic linker fills with a function's address.
 *
 * @module
 */
import type { ByteReader } from "./bytes.ts";
import { dynamicOffset, ElfError, type ElfImage, readElfImage } from "./elf.ts";
import { DYNAMIC, MACHINES, SEGMENT } from "./elf-constants.ts";
import type { NamedSource } from "./file-source.ts";

/** How a slot is used: by calls, which may be bound late, or by loading the address. */
export type SlotKind = "JUMP_SLOT" | "GLOB_DAT";

/** A slot that holds a function's address in the running process. */
export interface ElfSlot {
  /** The function. */
  readonly symbol: string;
  /** Its kind. */
  readonly kind: SlotKind;
  /** Its address in the image, relative to where the file is loaded. */
  readonly address: number;
}

/** What an ELF file says of symbols that it asks the dynamic linker for. */
export interface ElfImports {
  /** The slots that are filled with the symbols' addresses. */
  readonly slots: readonly ElfSlot[];
  /**
   * The addresses in the image of the PLT stubs of symbols in a program that is not position
   * independent: a symbol is undefined, yet has a value.
   */
  readonly stubs: ReadonlyMap<string, number>;
  /** The first address past the image in memory, zeroed data included. */
  readonly imageEnd: number;
}

/** Relocation types (`R_X86_64_*`, `R_AARCH64_*`) by processor. */
const SLOT_KINDS: Readonly<Record<string, Readonly<Record<number, SlotKind>>>> = {
  x64: { 6: "GLOB_DAT", 7: "JUMP_SLOT" },
  arm64: { 1025: "GLOB_DAT", 1026: "JUMP_SLOT" },
};

/** Tags of the dynamic section (`DT_*`) that lead to the relocations. */
const RELOCATION = {
  callsSize: 2,
  table: 7,
  size: 8,
  calls: 23,
  relativeCount: 0x6ffffff9,
} as const;

/** Sizes and offsets of `Elf64_Rela` and `Elf64_Sym`. */
const ENTRY_BYTES = 24;
const SYMBOL_BYTES = 24;
const TYPE_AND_SYMBOL = 8;

/**
 * Reads where the ELF file at a path has slots for some symbols. It may be a file that defines one
 * itself: its own calls, too, can go through a slot.
 *
 * @throws {ElfError} when the file is damaged, or is not a 64-bit file for x64 or arm64. Errors of
 * the file system come as they are.
 */
export function readElfImports(
  place: string | NamedSource,
  names: readonly string[],
): ElfImports {
  return readElfImage(place, (image) => parseImports(image, new Set(names)));
}

function parseImports(image: ElfImage, names: ReadonlySet<string>): ElfImports {
  const { file, segments, dynamic } = image;
  const fits = file.bits === 64 && file.littleEndian;
  const kinds = fits ? SLOT_KINDS[MACHINES[file.u16(18)] ?? ""] : undefined;
  if (kinds === undefined) {
    throw new ElfError(
      "Cannot read relocations: only 64-bit ELF files for x64 and arm64 are known.",
    );
  }
  const sizeOf = (tag: number): number => dynamic.get(tag)?.[0] ?? 0;
  const symbols = dynamicOffset(image, DYNAMIC.symbols);
  const strings = dynamicOffset(image, DYNAMIC.strings);
  const known = new Map<number, string>();

  function nameOf(index: number): string {
    const before = known.get(index);
    if (before !== undefined) return before;
    const text = file.string(strings + file.u32(symbols + index * SYMBOL_BYTES));
    known.set(index, text);
    return text;
  }

  const slots = new Map<number, ElfSlot>();
  const stubs = new Map<string, number>();
  // The relative ones, often most of them, come first and name no symbol.
  const relative = sizeOf(RELOCATION.relativeCount) * ENTRY_BYTES;
  const tables = [
    { table: RELOCATION.table, skip: relative, size: sizeOf(RELOCATION.size) },
    { table: RELOCATION.calls, skip: 0, size: sizeOf(RELOCATION.callsSize) },
  ];
  for (const { table, skip, size } of tables) {
    const start = dynamicOffset(image, table);
    if (start === 0 || size <= skip) continue;
    const bytes = file.bytes(start + skip, size - skip);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at + ENTRY_BYTES <= bytes.length; at += ENTRY_BYTES) {
      const kind = kinds[view.getUint32(at + TYPE_AND_SYMBOL, true)];
      if (kind === undefined) continue;
      const index = view.getUint32(at + TYPE_AND_SYMBOL + 4, true);
      const symbol = nameOf(index);
      if (!names.has(symbol)) continue;
      const address = Number(view.getBigUint64(at, true));
      slots.set(address, { symbol, kind, address });
      const stub = readStub(file, symbols + index * SYMBOL_BYTES);
      if (stub !== null) stubs.set(symbol, stub);
    }
  }
  const ends = segments.map(({ type, address, memorySize }) =>
    type === SEGMENT.load ? address + memorySize : 0
  );
  return { slots: [...slots.values()], stubs, imageEnd: Math.max(0, ...ends) };
}

/** An undefined symbol's value, unless it is 0. */
function readStub(file: ByteReader, at: number): number | null {
  const section = file.u16(at + 6);
  const value = file.word(at + 8);
  return section === 0 && value !== 0 ? value : null;
}
