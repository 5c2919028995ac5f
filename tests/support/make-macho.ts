/**
 * Making by hand what no linker here makes of Mach-O files: universal files, and signatures with
 * flags and entitlements.
 *
 * @module
 */
import { createHash } from "node:crypto";

/** What a signature says. */
export interface SignOptions {
  /** Flags of the code directory (`CS_*`). */
  readonly flags?: number;
  /** The platform's number. */
  readonly platform?: number;
  /** The entitlements, as XML. */
  readonly entitlements?: string;
  /** The team. */
  readonly team?: string;
  /** Hash types, one for each code directory; SHA-256 when absent. */
  readonly hashTypes?: readonly number[];
  /** Bits of a page's size; 0 for one page. */
  readonly pageBits?: number;
}

const HASHES: Readonly<Record<number, readonly [name: string, bytes: number]>> = {
  1: ["sha1", 20],
  2: ["sha256", 32],
  3: ["sha256", 20],
  4: ["sha384", 48],
};
const SIGNATURE_COMMAND = 0x1d;
const SEGMENT_COMMAND = 0x19;
const DIRECTORY_BYTES = 88;
const HEADER_BYTES = 8;

/** Where a file's load commands with some number begin. */
export function findCommands(bytes: Uint8Array, command: number): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const found: number[] = [];
  for (let at = 32, left = view.getUint32(16, true); left > 0; left--) {
    if (view.getUint32(at, true) === command) found.push(at);
    at += view.getUint32(at + 4, true);
  }
  return found;
}

/** A copy of a signed file with another signature in place of its own. */
export function signMachO(original: Uint8Array, options: SignOptions = {}): Uint8Array {
  const source = new DataView(original.buffer, original.byteOffset, original.length);
  const [command] = findCommands(original, SIGNATURE_COMMAND);
  const linkEdit = findCommands(original, SEGMENT_COMMAND).at(-1);
  if (command === undefined || linkEdit === undefined) throw new Error("the file is not signed");
  const limit = source.getUint32(command + 8, true);
  const types = options.hashTypes ?? [2];
  const entitlements = options.entitlements === undefined
    ? null
    : blob(0xfade7171, new TextEncoder().encode(options.entitlements));
  // A first round gives the size, which is in bytes that are hashed.
  const signed = new Uint8Array(
    limit + buildSignature(original, limit, types, entitlements, options).length,
  );
  signed.set(original.subarray(0, limit));
  const view = new DataView(signed.buffer);
  view.setUint32(command + 12, signed.length - limit, true);
  const start = Number(view.getBigUint64(linkEdit + 40, true));
  view.setBigUint64(linkEdit + 48, BigInt(signed.length - start), true);
  signed.set(buildSignature(signed, limit, types, entitlements, options), limit);
  return signed;
}

function buildSignature(
  bytes: Uint8Array,
  limit: number,
  types: readonly number[],
  entitlements: Uint8Array | null,
  options: SignOptions,
): Uint8Array {
  const parts = types.map((type, index) => ({
    slot: index === 0 ? 0 : 0x1000 + index - 1,
    bytes: codeDirectory(bytes.subarray(0, limit), type, entitlements, options),
  }));
  if (entitlements !== null) parts.push({ slot: 5, bytes: entitlements });
  const index = 12 + 8 * parts.length;
  const size = parts.reduce((sum, part) => sum + part.bytes.length, index);
  const signature = new Uint8Array(size);
  const view = new DataView(signature.buffer);
  [0xfade0cc0, size, parts.length].forEach((value, at) => view.setUint32(4 * at, value));
  let at = index;
  for (const [number, part] of parts.entries()) {
    view.setUint32(12 + 8 * number, part.slot);
    view.setUint32(16 + 8 * number, at);
    signature.set(part.bytes, at);
    at += part.bytes.length;
  }
  return signature;
}

function codeDirectory(
  bytes: Uint8Array,
  type: number,
  entitlements: Uint8Array | null,
  options: SignOptions,
): Uint8Array {
  const [name, hashBytes] = HASHES[type] ?? ["sha256", 32];
  const hash = (part: Uint8Array): Uint8Array =>
    createHash(name).update(part).digest().subarray(0, hashBytes);
  const bits = options.pageBits ?? 12;
  const pageBytes = bits === 0 ? bytes.length : 2 ** bits;
  const text = new TextEncoder().encode(`fixture\0${options.team ?? ""}\0`);
  const specialSlots = entitlements === null ? 0 : 5;
  const hashes = DIRECTORY_BYTES + text.length + specialSlots * hashBytes;
  const pages = Math.ceil(bytes.length / pageBytes);
  const directory = new Uint8Array(hashes + pages * hashBytes);
  const view = new DataView(directory.buffer);
  const header = [
    ...[0xfade0c02, directory.length, 0x20400, options.flags ?? 0x2, hashes, DIRECTORY_BYTES],
    ...[specialSlots, pages, bytes.length],
  ];
  header.forEach((value, index) => view.setUint32(4 * index, value));
  directory.set([hashBytes, type, options.platform ?? 0, bits], 36);
  if (options.team !== undefined) view.setUint32(48, DIRECTORY_BYTES + "fixture\0".length);
  directory.set(text, DIRECTORY_BYTES);
  if (entitlements !== null) directory.set(hash(entitlements), hashes - 5 * hashBytes);
  for (let page = 0; page < pages; page++) {
    const part = bytes.subarray(page * pageBytes, (page + 1) * pageBytes);
    directory.set(hash(part), hashes + page * hashBytes);
  }
  return directory;
}

function blob(magic: number, content: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + content.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, magic);
  view.setUint32(4, bytes.length);
  bytes.set(content, HEADER_BYTES);
  return bytes;
}

/** A universal file of slices. */
export function makeFat(slices: readonly Uint8Array[], bits: 32 | 64): Uint8Array {
  const entryBytes = bits === 32 ? 20 : 32;
  const offsets: number[] = [];
  let end = 4096;
  for (const slice of slices) {
    offsets.push(end);
    end = Math.ceil((end + slice.length) / 4096) * 4096;
  }
  const fat = new Uint8Array(end);
  const view = new DataView(fat.buffer);
  view.setUint32(0, bits === 32 ? 0xcafebabe : 0xcafebabf);
  view.setUint32(4, slices.length);
  for (const [index, slice] of slices.entries()) {
    const at = 8 + index * entryBytes;
    const from = new DataView(slice.buffer, slice.byteOffset);
    view.setUint32(at, from.getUint32(4, true));
    view.setUint32(at + 4, from.getUint32(8, true));
    const word = (field: number, value: number): void =>
      bits === 32 ? view.setUint32(field, value) : view.setBigUint64(field, BigInt(value));
    word(at + 8, offsets[index] ?? 0);
    word(at + 8 + bits / 8, slice.length);
    fat.set(slice, offsets[index] ?? 0);
  }
  return fat;
}
