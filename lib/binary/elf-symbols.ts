/**
 * The dynamic symbols of an ELF file.
 *
 * @module
 */
import type { ByteReader } from "./bytes.ts";
import { SYMBOL_TYPES, VISIBLE_BINDINGS } from "./elf-constants.ts";

/** A dynamic symbol that other objects can use. */
export interface ElfSymbol {
  /** Its name, without a version. */
  readonly name: string;
  /** `weak` when another definition may take its place. */
  readonly binding: "global" | "weak";
  /** `function`, `object`, `tls`, … */
  readonly type: string;
  /** Its value: the address in the image, relative to where the file is loaded. */
  readonly value: number;
  /** Its size in bytes. */
  readonly size: number;
}

/** Offsets of the dynamic tables in the file; 0 for one that is missing. */
export interface SymbolTables {
  /** `.dynsym`. */
  readonly symbols: number;
  /** `.dynstr`. */
  readonly strings: number;
  /** The System V hash table. */
  readonly hash: number;
  /** The GNU hash table. */
  readonly gnuHash: number;
}

const UNDEFINED_SECTION = 0;
const ABSOLUTE_SECTION = 0xfff1;
const HIDDEN_VISIBILITIES: readonly number[] = [1, 2];

/** The defined, visible symbols of the tables, sorted by name. */
export function readSymbols(file: ByteReader, tables: SymbolTables): ElfSymbol[] {
  if (tables.symbols === 0 || tables.strings === 0) return [];
  const count = symbolCount(file, tables);
  const found: ElfSymbol[] = [];
  for (let index = 1; index < count; index++) {
    const symbol = symbolAt(file, tables, index);
    if (symbol !== null) found.push(symbol);
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/**
 * Those of some names, by the GNU hash table, without reading the others: a program may have 90,000
 * of them.
 */
export function findSymbols(
  file: ByteReader,
  tables: SymbolTables,
  names: Iterable<string>,
): ElfSymbol[] {
  if (tables.gnuHash === 0) {
    const wanted = new Set(names);
    return readSymbols(file, tables).filter(({ name }) => wanted.has(name));
  }
  if (tables.symbols === 0 || tables.strings === 0) return [];
  return [...names].flatMap((name) => findByHash(file, tables, name) ?? []);
}

/** A symbol of the table; `null` when it is not defined there, or not visible to others. */
function symbolAt(file: ByteReader, tables: SymbolTables, index: number): ElfSymbol | null {
  const wide = file.bits === 64;
  const at = tables.symbols + index * (wide ? 24 : 16);
  const info = file.u8(at + (wide ? 4 : 12));
  const visibility = file.u8(at + (wide ? 5 : 13)) & 3;
  const section = file.u16(at + (wide ? 6 : 14));
  const binding = VISIBLE_BINDINGS[info >> 4];
  if (binding === undefined || section === UNDEFINED_SECTION) return null;
  // The absolute ones are the names of symbol versions, or marks of the linker.
  if (section === ABSOLUTE_SECTION || HIDDEN_VISIBILITIES.includes(visibility)) return null;
  return {
    name: file.string(tables.strings + file.u32(at)),
    binding,
    type: SYMBOL_TYPES[info & 15] ?? `type ${info & 15}`,
    value: file.word(at + (wide ? 8 : 4)),
    size: file.word(at + (wide ? 16 : 8)),
  };
}

/** Nothing states the number of dynamic symbols; the hash tables imply it. */
function symbolCount(file: ByteReader, tables: SymbolTables): number {
  if (tables.gnuHash !== 0) return gnuHashCount(file, tables.gnuHash);
  if (tables.hash !== 0) return file.u32(tables.hash + 4);
  return 0;
}

/** The GNU hash table: its buckets lead into chains, whose entries are the hashes of the symbols. */
interface HashTable {
  readonly bucketCount: number;
  readonly firstHashed: number;
  readonly buckets: number;
  readonly chains: number;
}

function openHashTable(file: ByteReader, at: number): HashTable {
  const bucketCount = file.u32(at);
  const buckets = at + 16 + file.u32(at + 8) * (file.bits / 8);
  return {
    bucketCount,
    firstHashed: file.u32(at + 4),
    buckets,
    chains: buckets + 4 * bucketCount,
  };
}

function gnuHashCount(file: ByteReader, at: number): number {
  const { bucketCount, firstHashed, buckets, chains } = openHashTable(file, at);
  let last = 0;
  for (let index = 0; index < bucketCount; index++) {
    last = Math.max(last, file.u32(buckets + 4 * index));
  }
  if (last < firstHashed) return firstHashed;
  // The lowest bit of a chain's entry marks its end.
  while ((file.u32(chains + 4 * (last - firstHashed)) & 1) === 0) last++;
  return last + 1;
}

function findByHash(file: ByteReader, tables: SymbolTables, name: string): ElfSymbol | null {
  const { bucketCount, firstHashed, buckets, chains } = openHashTable(file, tables.gnuHash);
  if (bucketCount === 0) return null;
  const hash = gnuHash(name);
  const first = file.u32(buckets + 4 * (hash % bucketCount));
  if (first < firstHashed) return null;
  for (let index = first;; index++) {
    const entry = file.u32(chains + 4 * (index - firstHashed));
    if (entry >>> 1 === hash >>> 1) {
      const symbol = symbolAt(file, tables, index);
      if (symbol?.name === name) return symbol;
    }
    if ((entry & 1) !== 0) return null;
  }
}

/** The hash of a symbol's name that GNU's table goes by. */
function gnuHash(name: string): number {
  let hash = 5381;
  for (const byte of new TextEncoder().encode(name)) hash = (Math.imul(hash, 33) + byte) >>> 0;
  return hash;
}
