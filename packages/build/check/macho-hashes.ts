/**
 * Whether a Mach-O file is what its code signature says: each hash is computed again.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { ByteReader } from "../../../lib/binary/bytes.ts";
import type { MachOImage } from "../../../lib/binary/macho-commands.ts";
import { readMachOImage } from "../../../lib/binary/macho.ts";
import {
  type CodeDirectory,
  findSignature,
  HASHES,
  isDirectorySlot,
  type SignatureParts,
} from "../../../lib/binary/macho-signature.ts";

/** From here on there are a certificate, which covers the code directories, and tickets: no hashes. */
const FIRST_UNHASHED_SLOT = 0x10000;

/**
 * Computes each hash of the code signature of the Mach-O file at a path. This reads the whole
 * file. A certificate, where there is one, is not looked at.
 *
 * @param arch As for `readMachO`.
 * @returns What is wrong, each as a clause; nothing when the signature is valid.
 * @throws {MachOError} as `readMachO` does.
 */
export function verifyMachOSignature(path: string, arch?: string): string[] {
  return readMachOImage(path, verifySignature, arch);
}

function verifySignature(image: MachOImage): string[] {
  const parts = findSignature(image);
  if (parts === null) return ["it has no code signature"];
  if (parts.directories.length === 0) return ["its signature has no code directory"];
  return parts.directories.flatMap((directory) => verifyDirectory(image, parts, directory));
}

function verifyDirectory(
  image: MachOImage,
  parts: SignatureParts,
  directory: CodeDirectory,
): string[] {
  const { limit, pages, hashType, hashBytes } = directory;
  const hash = HASHES[hashType];
  if (hash === undefined || hash.bytes !== hashBytes) {
    return [`its signature has hashes of an unknown type, ${hashType}`];
  }
  if (limit !== parts.at) {
    return [`its signature covers ${limit} bytes, but ${parts.at} are before it`];
  }
  // All is one page when no size is given.
  const pageBytes = directory.pageBytes || Math.max(limit, 1);
  if (pages !== Math.ceil(limit / pageBytes)) {
    return [`its signature has hashes of ${pages} pages for ${limit} bytes`];
  }
  const { reader, blobs } = parts;
  const holds = (bytes: Uint8Array, index: number): boolean =>
    createHash(hash.name).update(bytes).digest("hex").slice(0, 2 * hashBytes) ===
      storedHash(reader, directory, index);
  const problems: string[] = [];
  for (let page = 0; page < pages; page++) {
    const at = page * pageBytes;
    const bytes = image.file.bytes(at, Math.min(pageBytes, limit - at));
    if (!holds(bytes, page)) problems.push(`page ${page}, at ${at}, is not what was signed`);
  }
  for (const { slot, at, size } of blobs) {
    if (isDirectorySlot(slot) || slot >= FIRST_UNHASHED_SLOT) continue;
    if (slot > directory.specialSlots || !holds(reader.bytes(at, size), -slot)) {
      problems.push(`the signature's slot ${slot} is not what was signed`);
    }
  }
  return problems;
}

/** The hash of a page; slots other than pages have negative numbers. */
function storedHash(reader: ByteReader, directory: CodeDirectory, index: number): string {
  const bytes = reader.bytes(
    directory.at + directory.hashes + index * directory.hashBytes,
    directory.hashBytes,
  );
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
