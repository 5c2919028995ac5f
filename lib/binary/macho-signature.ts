/**
 * A Mach-O file's code signature: what it says, by its code directories and entitlements.
 *
 * @module
 */
import { ByteReader } from "./bytes.ts";
import { findCommand, type MachOImage } from "./macho-commands.ts";
import { COMMAND } from "./macho-constants.ts";

/** What a code signature says. `verifyMachOSignature` says whether it is true. */
export interface MachOSignature {
  /** The identifier that it was signed by. */
  readonly identifier: string;
  /** The team that signed it, or `null`. */
  readonly team: string | null;
  /** Whether it is ad hoc: only hashes, signed by nobody (CS_ADHOC). */
  readonly adHoc: boolean;
  /** Whether the linker made it (CS_LINKER_SIGNED). */
  readonly linkerSigned: boolean;
  /** How pages are hashed: `sha1`, `sha256`, `sha384`, …; that of the strongest code directory. */
  readonly hash: string;
  /** Whether the process runs with the hardened runtime (CS_RUNTIME). */
  readonly hardenedRuntime: boolean;
  /** Whether only libraries of the same team or of the system may be loaded (CS_REQUIRE_LV). */
  readonly libraryValidation: boolean;
  /** Whether dyld treats the process as restricted (CS_RESTRICT). */
  readonly restricted: boolean;
  /** Whether it is a part of the system: the code directory names a platform. */
  readonly platformBinary: boolean;
  /** The entitlements, as XML; `null` without any. */
  readonly entitlements: string | null;
  /** Whether an entitlement allows DYLD variables despite the hardened runtime. */
  readonly allowsDyldVariables: boolean;
  /** Whether an entitlement lifts the library validation that the hardened runtime brings. */
  readonly disablesLibraryValidation: boolean;
}

/** A part of a signature: its slot, and where it is in the signature. */
export interface SignatureBlob {
  /** The slot: 0 for the code directory, 0x1000 and up for further ones, 5 for entitlements. */
  readonly slot: number;
  /** Where it begins, from the signature's beginning. */
  readonly at: number;
  /** Its size in bytes, with its own header. */
  readonly size: number;
}

/** A code directory: hashes of the file's pages. */
export interface CodeDirectory {
  /** Where it begins, from the signature's beginning. */
  readonly at: number;
  /** Its size in bytes. */
  readonly size: number;
  /** The version of its layout. */
  readonly version: number;
  /** Flags (`CS_*`). */
  readonly flags: number;
  /** Where the first page's hash is, from the directory's beginning; other slots' are before it. */
  readonly hashes: number;
  /** How many slots other than pages have a hash. */
  readonly specialSlots: number;
  /** How many pages have a hash. */
  readonly pages: number;
  /** How many bytes of the file are hashed. */
  readonly limit: number;
  /** The size of a hash. */
  readonly hashBytes: number;
  /** The number of the hash's type. */
  readonly hashType: number;
  /** The system's platform, or 0. */
  readonly platform: number;
  /** The size of a page; 0 when all is one page. */
  readonly pageBytes: number;
}

/** A signature in a file. */
export interface SignatureParts {
  /** Where it begins in the file. */
  readonly at: number;
  /** Reads it, from its own beginning; its numbers have the highest byte first. */
  readonly reader: ByteReader;
  /** Its parts. */
  readonly blobs: readonly SignatureBlob[];
  /** Its code directories; the last is the strongest. */
  readonly directories: readonly CodeDirectory[];
}

/** Magic numbers of the parts (`CSMAGIC_*`). */
const BLOB = { signature: 0xfade0cc0, directory: 0xfade0c02, entitlements: 0xfade7171 } as const;
/** Slots (`CSSLOT_*`). */
const SLOT = { directory: 0, entitlements: 5, alternate: 0x1000, alternates: 5 } as const;
/** Flags (`CS_*`). */
const FLAG = {
  adHoc: 0x2,
  restrict: 0x800,
  libraryValidation: 0x2000,
  runtime: 0x10000,
  linkerSigned: 0x20000,
} as const;
/** The versions of a code directory's layout that brought its later fields. */
const SINCE = { team: 0x20200, wideLimit: 0x20300 } as const;
/** Hash types (`CS_HASHTYPE_*`), and how many bytes of the hash are kept. */
export const HASHES: Readonly<Record<number, { readonly name: string; readonly bytes: number }>> = {
  1: { name: "sha1", bytes: 20 },
  2: { name: "sha256", bytes: 32 },
  3: { name: "sha256", bytes: 20 },
  4: { name: "sha384", bytes: 48 },
};
const ENTITLEMENT = {
  dyldVariables: granted("com.apple.security.cs.allow-dyld-environment-variables"),
  noLibraryValidation: granted("com.apple.security.cs.disable-library-validation"),
} as const;

const HEADER_BYTES = 8;
const MAX_BLOBS = 100;
const MAX_PAGE_BITS = 24;

/** Finds a file's signature; `null` without one. */
export function findSignature(image: MachOImage): SignatureParts | null {
  const command = findCommand(image, COMMAND.signature);
  if (command === undefined) return null;
  const at = image.file.u32(command.at + 8);
  const bytes = image.file.bytes(at, image.file.u32(command.at + 12));
  const reader = ByteReader.of(bytes, false);
  if (reader.u32(0) !== BLOB.signature) throw new RangeError("not a signature");
  const blobs = readBlobs(reader);
  const directories = blobs
    .filter(({ slot }) => isDirectorySlot(slot))
    .map((blob) => readDirectory(reader, blob));
  return { at, reader, blobs, directories };
}

/** What a signature says. */
export function describeSignature(parts: SignatureParts): MachOSignature {
  const { reader, blobs } = parts;
  const directory = parts.directories.at(-1);
  if (directory === undefined) throw new RangeError("a signature without a code directory");
  const has = (flag: number): boolean => (directory.flags & flag) !== 0;
  const blob = blobs.find(({ slot, at }) =>
    slot === SLOT.entitlements && reader.u32(at) === BLOB.entitlements
  );
  const entitlements = blob === undefined
    ? null
    : reader.text(blob.at + HEADER_BYTES, blob.size - HEADER_BYTES);
  const team = directory.version >= SINCE.team ? reader.u32(directory.at + 48) : 0;
  return {
    identifier: reader.string(directory.at + reader.u32(directory.at + 20)),
    team: team === 0 ? null : reader.string(directory.at + team),
    adHoc: has(FLAG.adHoc),
    linkerSigned: has(FLAG.linkerSigned),
    hash: HASHES[directory.hashType]?.name ?? `type ${directory.hashType}`,
    hardenedRuntime: has(FLAG.runtime),
    libraryValidation: has(FLAG.libraryValidation),
    restricted: has(FLAG.restrict),
    platformBinary: directory.platform !== 0,
    entitlements,
    allowsDyldVariables: ENTITLEMENT.dyldVariables.test(entitlements ?? ""),
    disablesLibraryValidation: ENTITLEMENT.noLibraryValidation.test(entitlements ?? ""),
  };
}

/** Whether a slot holds a code directory. */
export function isDirectorySlot(slot: number): boolean {
  return slot === SLOT.directory ||
    (slot >= SLOT.alternate && slot < SLOT.alternate + SLOT.alternates);
}

/** An entitlement is granted by its key followed by `<true/>`. */
function granted(key: string): RegExp {
  return new RegExp(`<key>\\s*${key.replaceAll(".", "\\.")}\\s*</key>\\s*<true\\s*/>`);
}

function readBlobs(reader: ByteReader): SignatureBlob[] {
  const count = reader.u32(8);
  if (count > MAX_BLOBS) throw new RangeError(`${count} parts of a signature`);
  return Array.from({ length: count }, (_, index): SignatureBlob => {
    const at = reader.u32(12 + index * 8 + 4);
    const size = reader.u32(at + 4);
    if (size < HEADER_BYTES || at + size > reader.size) {
      throw new RangeError("a part of the signature ends past its end");
    }
    return { slot: reader.u32(12 + index * 8), at, size };
  });
}

function readDirectory(reader: ByteReader, { at, size }: SignatureBlob): CodeDirectory {
  if (reader.u32(at) !== BLOB.directory) throw new RangeError("not a code directory");
  const version = reader.u32(at + 8);
  const pageBits = reader.u8(at + 39);
  if (pageBits > MAX_PAGE_BITS) throw new RangeError(`pages of 2^${pageBits} bytes`);
  const directory: CodeDirectory = {
    at,
    size,
    version,
    flags: reader.u32(at + 12),
    hashes: reader.u32(at + 16),
    specialSlots: reader.u32(at + 24),
    pages: reader.u32(at + 28),
    limit: (version >= SINCE.wideLimit && reader.word(at + 56)) || reader.u32(at + 32),
    hashBytes: reader.u8(at + 36),
    hashType: reader.u8(at + 37),
    platform: reader.u8(at + 38),
    pageBytes: pageBits === 0 ? 0 : 2 ** pageBits,
  };
  const { hashes, specialSlots, pages, hashBytes } = directory;
  if (hashes < specialSlots * hashBytes || hashes + pages * hashBytes > size) {
    throw new RangeError("hashes outside of the code directory");
  }
  return directory;
}
