/**
 * What a Mach-O file exports: from its exports trie, else from its symbol table.
 *
 * @module
 */
import { ByteReader } from "../../../lib/binary/bytes.ts";
import { baseAddress, findCommand, type MachOImage } from "../../../lib/binary/macho-commands.ts";
import { COMMAND, DYLD_INFO_COMMANDS } from "../../../lib/binary/macho-constants.ts";
import { readMachOImage } from "../../../lib/binary/macho.ts";

/** A symbol that other files can use. */
export interface MachOExport {
  /** Its name as C has it, without the underscore that the format puts in front. */
  readonly name: string;
  /** What it is; a `reexport` is a name that another library answers. */
  readonly kind: "regular" | "thread-local" | "absolute" | "reexport";
  /** Whether another definition may take its place. */
  readonly weak: boolean;
  /** Its address relative to where the file is loaded; `null` for a reexport. */
  readonly address: number | null;
}

/** Bits of an export in the trie (`EXPORT_SYMBOL_FLAGS_*`). */
const FLAG = { kinds: 0x3, weak: 0x4, reexport: 0x8 } as const;
const KINDS: readonly MachOExport["kind"][] = ["regular", "thread-local", "absolute"];

/** Bits of a symbol's type (`N_*`), and of its description. */
const SYMBOL = { debug: 0xe0, private: 0x10, kinds: 0x0e, external: 0x01, weak: 0x80 } as const;
const SYMBOL_BYTES = 16;
const ABSOLUTE = 0x02;

const LONGEST_NAME = 65536;

/**
 * Reads what the Mach-O file at a path exports, sorted by name; names are as C has them.
 *
 * @param arch As for `readMachO`.
 * @throws {MachOError} as `readMachO` does.
 */
export function readMachOExports(path: string, arch?: string): MachOExport[] {
  return readMachOImage(path, readExports, arch);
}

function readExports(image: MachOImage): MachOExport[] {
  const trie = triePlace(image);
  const found = trie === null ? readSymbolTable(image) : readTrie(image, trie.at, trie.size);
  return found.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

function triePlace(image: MachOImage): { readonly at: number; readonly size: number } | null {
  const { file } = image;
  const own = findCommand(image, COMMAND.exportsTrie);
  if (own !== undefined) return { at: file.u32(own.at + 8), size: file.u32(own.at + 12) };
  const info = findCommand(image, ...DYLD_INFO_COMMANDS);
  if (info === undefined) return null;
  return { at: file.u32(info.at + 40), size: file.u32(info.at + 44) };
}

function readTrie({ file }: MachOImage, start: number, size: number): MachOExport[] {
  const trie = ByteReader.of(file.bytes(start, size), true);
  const found: MachOExport[] = [];
  const visited = new Set<number>();
  const left = size === 0 ? [] : [{ at: 0, prefix: "" }];
  for (let node = left.pop(); node !== undefined; node = left.pop()) {
    const { at, prefix } = node;
    if (visited.has(at) || prefix.length > LONGEST_NAME) throw new RangeError("a trie in circles");
    visited.add(at);
    const info = readNumber(trie, at);
    if (info.value > 0) found.push(readExport(trie, info.next, prefix));
    let next = info.next + info.value;
    const count = trie.u8(next++);
    for (let index = 0; index < count; index++) {
      const edge = trie.string(next);
      const child = readNumber(trie, next + encodedLength(trie, next));
      left.push({ at: child.value, prefix: prefix + edge });
      next = child.next;
    }
  }
  return found;
}

function readExport(trie: ByteReader, at: number, symbol: string): MachOExport {
  const flags = readNumber(trie, at);
  const reexport = (flags.value & FLAG.reexport) !== 0;
  return {
    name: plainName(symbol),
    kind: reexport ? "reexport" : KINDS[flags.value & FLAG.kinds] ?? "regular",
    weak: (flags.value & FLAG.weak) !== 0,
    address: reexport ? null : readNumber(trie, flags.next).value,
  };
}

/** A string's length in the file, with its NUL: decoding may have changed the number of bytes. */
function encodedLength(trie: ByteReader, at: number): number {
  let length = 0;
  while (trie.u8(at + length) !== 0) length++;
  return length + 1;
}

/** A number in groups of seven bits, the lowest first; the highest bit says that more follow. */
function readNumber(
  trie: ByteReader,
  at: number,
): { readonly value: number; readonly next: number } {
  let value = 0;
  for (let next = at, scale = 1; scale <= 2 ** 49; next++, scale *= 128) {
    const byte = trie.u8(next);
    value += (byte & 0x7f) * scale;
    if (byte < 0x80 && Number.isSafeInteger(value)) return { value, next: next + 1 };
  }
  throw new RangeError(`the number at ${at} is too large`);
}

function readSymbolTable(image: MachOImage): MachOExport[] {
  const { file } = image;
  const table = findCommand(image, COMMAND.symbols);
  if (table === undefined) return [];
  const symbols = file.u32(table.at + 8);
  const count = file.u32(table.at + 12);
  const strings = file.u32(table.at + 16);
  const base = baseAddress(image);
  const found: MachOExport[] = [];
  for (let at = symbols; at < symbols + count * SYMBOL_BYTES; at += SYMBOL_BYTES) {
    const type = file.u8(at + 4);
    const kind = type & SYMBOL.kinds;
    if ((type & SYMBOL.external) === 0 || (type & (SYMBOL.debug | SYMBOL.private)) !== 0) continue;
    // No kind: it is defined elsewhere.
    if (kind === 0) continue;
    const value = file.word(at + 8);
    found.push({
      name: plainName(file.string(strings + file.u32(at))),
      kind: kind === ABSOLUTE ? "absolute" : "regular",
      weak: (file.u16(at + 6) & SYMBOL.weak) !== 0,
      address: kind === ABSOLUTE ? value : value - base,
    });
  }
  return found;
}

function plainName(symbol: string): string {
  return symbol.startsWith("_") ? symbol.slice(1) : symbol;
}
