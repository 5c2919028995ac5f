/**
 * musl's answers. It has no function for ownership, and no counters: what its malloc keeps
 * about a block does. The layout is that of musl's src/malloc/mallocng/meta.h (musl 1.2.1 and
 * later): the bytes before a block lead to its group, the group to a record about it, and that back
 * to the group. Records are in pages that begin with a secret, which each process draws for itself.
 *
 * @module
 */
import { libcLibrary, PROCESS_MALLOC_SYMBOLS } from "../../ffi/symbols/libc.ts";
import { ffi } from "../../ffi/mod.ts";
import { type Address, NULL } from "../../ffi/types.ts";
import { type MemoryReader, openOwnMemory, type OwnMemory } from "../system/linux-memory.ts";
import type { AllocatorProbe } from "./probe.ts";
import { noStatistics } from "./statistics.ts";
import type { AllocatorDescriptor } from "./types.ts";

/** Offsets between a block and its group are counted in these, and blocks are aligned to it. */
const UNIT = 16;

const BLOCK_HEADER_BYTES = 8;
const GROUP_HEADER_BYTES = 16;
const POINTER_BYTES = 8;

/** The part of a group's record up to its last bit field. */
const META_BYTES = 40;
const META = { mem: 16, availableMask: 24, freedMask: 28, flags: 32 };

/** A block's place in its group, and the last place that a group has, are numbers of five bits. */
const INDEX_BITS = 31;

/** A group's records are found by their page, whatever the size of the system's pages. */
const AREA_BYTES = 4096;

const SHORT_OFFSET_LIMIT = 0xffff;

/** A block of a mapping of its own, beside no other. */
const REFERENCE_BYTES = 1 << 20;

const NOT_MALLOCNG = "a fresh block is not laid out as by musl's mallocng (1.2.1 is its first), " +
  "so nothing shows whose a block is";

interface Place {
  /** The address of the group. */
  readonly group: Address;
  /** Which of its blocks it is. */
  readonly index: number;
}

/** Where a block is by the bytes before it; `null` when they cannot be right. */
function placeOf(read: MemoryReader, block: Address): Place | null {
  if (block % UNIT !== 0) return null;
  const header = read((block - BLOCK_HEADER_BYTES) as Address, BLOCK_HEADER_BYTES);
  if (header === null) return null;
  const short = header.getUint16(6, true);
  const isFar = header.getUint8(4) !== 0;
  const offset = isFar ? header.getUint32(0, true) : short;
  if (isFar && (short !== 0 || offset <= SHORT_OFFSET_LIMIT)) return null;
  const group = (block - UNIT * offset - GROUP_HEADER_BYTES) as Address;
  return { group, index: header.getUint8(5) & INDEX_BITS };
}

/**
 * The secret of the page that holds the record of a block that is in use; `null` for an address
 * that is no such block: whatever does not fit, or cannot be read.
 *
 * @param read Reads memory; is asked about addresses that may not exist.
 */
export function muslSecret(read: MemoryReader, block: Address): bigint | null {
  const place = placeOf(read, block);
  if (place === null) return null;
  const { group, index } = place;
  const pointer = read(group, POINTER_BYTES)?.getBigUint64(0, true) ?? 0n;
  const meta = Number(pointer) as Address;
  const record = meta === NULL ? null : read(meta, META_BYTES);
  if (record === null || record.getBigUint64(META.mem, true) !== BigInt(group)) return null;
  const free = record.getUint32(META.availableMask, true) | record.getUint32(META.freedMask, true);
  const lastIndex = record.getUint8(META.flags) & INDEX_BITS;
  if (index > lastIndex || (free >>> index & 1) !== 0) return null;
  const area = (meta - meta % AREA_BYTES) as Address;
  const secret = read(area, POINTER_BYTES)?.getBigUint64(0, true) ?? 0n;
  return secret === 0n ? null : secret;
}

/**
 * The secret of this process's musl, by a block of its own malloc.
 *
 * @throws {RangeError} when that block is not laid out as it should be.
 */
function ownSecret(read: MemoryReader): bigint {
  const { calls, close } = ffi().open(libcLibrary(), PROCESS_MALLOC_SYMBOLS);
  try {
    const block = calls.malloc(REFERENCE_BYTES);
    if (block === NULL) throw new RangeError("musl's malloc gave no block to compare with");
    try {
      const secret = muslSecret(read, block);
      if (secret === null) throw new RangeError(NOT_MALLOCNG);
      return secret;
    } finally {
      calls.free(block);
    }
  } finally {
    close();
  }
}

/** Opens musl; its memory is read only when it is asked, so that a failure is about the answer. */
export function openMuslProbe(): AllocatorProbe {
  let opened: (OwnMemory & { readonly secret: bigint }) | undefined;
  function open(): OwnMemory & { readonly secret: bigint } {
    const memory = openOwnMemory();
    try {
      return { ...memory, secret: ownSecret(memory.read) };
    } catch (error) {
      memory.close();
      throw error;
    }
  }
  return {
    symbol: "malloc",
    shimName: "system",
    version: null,
    ownershipQuestion: "musl's record of its groups",
    askableRegion: null,
    owns(address) {
      opened ??= open();
      return muslSecret(opened.read, address) === opened.secret;
    },
    counterName: "its bytes in use",
    counterScope: "process",
    counterBytes: REFERENCE_BYTES,
    counter() {
      throw new RangeError("musl's malloc has no counter that can be read");
    },
    close() {
      opened?.close();
    },
  };
}

/** musl's malloc. */
export const MUSL: AllocatorDescriptor<"musl", "libc"> = {
  name: "musl",
  source: "libc",
  mark: { symbols: ["__libc_start_main"], file: /^(ld-musl|libc\.musl|libc\.so)/ },
  openProbe: openMuslProbe,
  readOptions: null,
  openStatistics: () =>
    noStatistics("musl's malloc counts nothing", "musl gives memory back by itself, and only so"),
  figuresOf: null,
  advised: {},
  heapProfiling: { refusal: "it does not sample" },
  library: null,
  openMemory: null,
};
