/**
 * A small reader of ELF files: what a program or shared library is made for, what it needs, and
 * what it exports. It reads the parts it wants, so a program of 100 MB costs a few kilobytes.
 *
 * @module
 */
import { OffheapError } from "../../ffi/errors.ts";
import { ByteReader, type ByteSource } from "./bytes.ts";
import { type ElfSymbol, findSymbols, readSymbols, type SymbolTables } from "./elf-symbols.ts";
import {
  DYNAMIC,
  FLAGS,
  FLAGS_1,
  MACHINES,
  SEGMENT,
  SEGMENT_ENTRY_SIZE,
  TYPES,
} from "./elf-constants.ts";
import { guardOf, type NamedSource, withSource } from "./file-source.ts";

export type { ElfSymbol } from "./elf-symbols.ts";

/** A file is not an ELF file, or it is truncated or damaged. */
export class ElfError extends OffheapError {
  static {
    this.prototype.name = "ElfError";
  }

  /** Makes the error with a sentence for the user. */
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_OFFHEAP_ELF", message, options);
  }
}

/** What an ELF file says of itself. */
export interface ElfFile {
  /** 32 or 64. */
  readonly bits: 32 | 64;
  /** Whether numbers are stored with the lowest byte first. */
  readonly littleEndian: boolean;
  /** The processor by Node's name (`x64`, `arm64`, …), or `machine N` for one that is not known. */
  readonly arch: string;
  /** `executable`, `shared` (a library, or a position independent program), or another type. */
  readonly type: string;
  /** The dynamic linker that a program asks for (PT_INTERP); `null` without one. */
  readonly interpreter: string | null;
  /** Whether there is a dynamic section. A program without one is static: no preload reaches it. */
  readonly dynamic: boolean;
  /** The shared libraries that it needs (DT_NEEDED), in order. */
  readonly needed: readonly string[];
  /** The library's own name (DT_SONAME), or `null`. */
  readonly soname: string | null;
  /** Whether it may never be unloaded (DF_1_NODELETE). */
  readonly noDelete: boolean;
  /** Whether all symbols are bound when it is loaded (DF_BIND_NOW or DF_1_NOW). */
  readonly bindNow: boolean;
  /** Whether its own definitions come first for itself (DF_SYMBOLIC, by `-Bsymbolic`). */
  readonly symbolic: boolean;
  /** Whether it asks for static TLS (DF_STATIC_TLS), so that opening it later may fail. */
  readonly staticTls: boolean;
  /** Whether it is a position independent program (DF_1_PIE). */
  readonly pie: boolean;
  /** Bytes of thread-local storage for each thread. */
  readonly tlsBytes: number;
}

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly fileSize: number;
  readonly memorySize: number;
}

/**
 * Reads the headers and the dynamic section of the ELF file at a path, or of one in memory.
 *
 * @throws {ElfError} when it is not an ELF file, or is truncated or damaged. Errors of the file
 * system (missing, not readable) come as they are.
 */
export function readElf(place: string | NamedSource): ElfFile {
  return readElfImage(place, parse);
}

/**
 * Reads the dynamic symbols that an ELF file defines for others, sorted by name.
 *
 * @throws {ElfError} as {@linkcode readElf} does.
 */
export function readElfExports(place: string | NamedSource): ElfSymbol[] {
  return readElfImage(place, (image) => readSymbols(image.file, symbolTables(image)));
}

/**
 * Finds some of the dynamic symbols that an ELF file defines for others, without reading the rest.
 *
 * @throws {ElfError} as {@linkcode readElf} does.
 */
export function findElfExports(
  place: string | NamedSource,
  names: Iterable<string>,
): ElfSymbol[] {
  return readElfImage(place, (image) => findSymbols(image.file, symbolTables(image), names));
}

/**
 * Opens an ELF file, for what else is to be read of it.
 *
 * @throws {ElfError} as {@linkcode readElf} does, also when `read` throws a RangeError.
 */
export function readElfImage<T>(place: string | NamedSource, read: (image: ElfImage) => T): T {
  return withSource(
    place,
    (source, name) => guarded(name, () => read(openImage(source, name))),
  );
}

const guarded = guardOf("ELF", ElfError);

/** An open ELF file. */
export interface ElfImage {
  /** Its bytes. */
  readonly file: ByteReader;
  /** Its program headers. */
  readonly segments: readonly Segment[];
  /** The values of the dynamic section's entries, by tag. */
  readonly dynamic: ReadonlyMap<number, readonly number[]>;
}

/** Where in the file is what an entry of the dynamic section points to; 0 without such an entry. */
export function dynamicOffset({ segments, dynamic }: ElfImage, tag: number): number {
  return toOffset(segments, dynamic.get(tag)?.[0] ?? 0);
}

function openImage(source: ByteSource, name: string): ElfImage {
  const ident = source.read(0, 16);
  if (ident[0] !== 0x7f || ident[1] !== 0x45 || ident[2] !== 0x4c || ident[3] !== 0x46) {
    throw new ElfError(`Cannot read "${name}": it is not an ELF file.`);
  }
  const file = new ByteReader(source, ident[5] !== 2, ident[4] === 1 ? 32 : 64);
  const segments = readSegments(file);
  for (const segment of segments) {
    if (segment.type === SEGMENT.load && segment.offset + segment.fileSize > source.size) {
      throw new RangeError("a segment ends past the end of the file");
    }
  }
  return { file, segments, dynamic: readDynamic(file, segments) };
}

function parse(image: ElfImage): ElfFile {
  const { file, segments, dynamic } = image;
  const machine = file.u16(18);
  const type = file.u16(16);
  const interpreter = segments.find((segment) => segment.type === SEGMENT.interpreter);
  const tls = segments.find((segment) => segment.type === SEGMENT.tls);
  const strings = dynamicOffset(image, DYNAMIC.strings);
  const names = (tag: number): string[] =>
    (dynamic.get(tag) ?? []).map((index) => file.string(strings + index));
  const flags = dynamic.get(DYNAMIC.flags)?.[0] ?? 0;
  const flags1 = dynamic.get(DYNAMIC.flags1)?.[0] ?? 0;
  return {
    bits: file.bits,
    littleEndian: file.littleEndian,
    arch: MACHINES[machine] ?? `machine ${machine}`,
    type: TYPES[type] ?? `type ${type}`,
    interpreter: interpreter === undefined ? null : file.string(interpreter.offset),
    dynamic: dynamic.size > 0,
    needed: names(DYNAMIC.needed),
    soname: names(DYNAMIC.soname)[0] ?? null,
    noDelete: (flags1 & FLAGS_1.noDelete) !== 0,
    bindNow: (flags & FLAGS.bindNow) !== 0 || (flags1 & FLAGS_1.now) !== 0,
    symbolic: (flags & FLAGS.symbolic) !== 0 || dynamic.has(DYNAMIC.symbolic),
    staticTls: (flags & FLAGS.staticTls) !== 0,
    pie: (flags1 & FLAGS_1.pie) !== 0,
    tlsBytes: tls?.memorySize ?? 0,
  };
}

function symbolTables(image: ElfImage): SymbolTables {
  return {
    symbols: dynamicOffset(image, DYNAMIC.symbols),
    strings: dynamicOffset(image, DYNAMIC.strings),
    hash: dynamicOffset(image, DYNAMIC.hash),
    gnuHash: dynamicOffset(image, DYNAMIC.gnuHash),
  };
}

function readSegments(file: ByteReader): Segment[] {
  const wide = file.bits === 64;
  const table = file.word(wide ? 32 : 28);
  const entrySize = file.u16(wide ? 54 : 42);
  const count = file.u16(wide ? 56 : 44);
  if (count > 0 && entrySize < SEGMENT_ENTRY_SIZE[file.bits]) {
    throw new RangeError(`program header entries of ${entrySize} bytes`);
  }
  return Array.from({ length: count }, (_, index): Segment => {
    const at = table + index * entrySize;
    return {
      type: file.u32(at),
      offset: file.word(at + (wide ? 8 : 4)),
      address: file.word(at + (wide ? 16 : 8)),
      fileSize: file.word(at + (wide ? 32 : 16)),
      memorySize: file.word(at + (wide ? 40 : 20)),
    };
  });
}

function readDynamic(file: ByteReader, segments: readonly Segment[]): Map<number, number[]> {
  const entries = new Map<number, number[]>();
  const segment = segments.find((candidate) => candidate.type === SEGMENT.dynamic);
  if (segment === undefined) return entries;
  const wordSize = file.bits / 8;
  for (let at = segment.offset; at < segment.offset + segment.fileSize; at += 2 * wordSize) {
    const tag = file.word(at);
    if (tag === 0) break;
    const values = entries.get(tag) ?? [];
    values.push(file.word(at + wordSize));
    entries.set(tag, values);
  }
  return entries;
}

/** Addresses of the loaded image become offsets in the file; 0 stays 0, for "there is none". */
function toOffset(segments: readonly Segment[], address: number): number {
  if (address === 0) return 0;
  for (const segment of segments) {
    if (segment.type !== SEGMENT.load) continue;
    if (address < segment.address || address >= segment.address + segment.fileSize) continue;
    return address - segment.address + segment.offset;
  }
  throw new RangeError(`address ${address} is in no segment`);
}
