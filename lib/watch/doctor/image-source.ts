/**
 * A library as it is in a process's memory, instead of its file: that may have been removed
 * or replaced, and what is mapped can then be opened by root alone.
 *
 * @module
 */
import type { ByteSource } from "../../binary/bytes.ts";
import type { OpenedMemory } from "./process-source.ts";

const HEADER_BYTES = 64;
const HEADER = { table: 32, entrySize: 54, count: 56 } as const;
const SEGMENT = { load: 1, dynamic: 2 } as const;
const WORD = 8;

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

function readSegments(memory: OpenedMemory, base: number): Segment[] {
  const header = new DataView(memory.read(base, HEADER_BYTES).buffer);
  const table = base + Number(header.getBigUint64(HEADER.table, true));
  const entrySize = header.getUint16(HEADER.entrySize, true);
  return Array.from({ length: header.getUint16(HEADER.count, true) }, (_, index) => {
    const view = new DataView(memory.read(table + index * entrySize, entrySize).buffer);
    return {
      type: view.getUint32(0, true),
      offset: Number(view.getBigUint64(8, true)),
      address: Number(view.getBigUint64(16, true)),
      size: Number(view.getBigUint64(32, true)),
    };
  });
}

/** Where the dynamic linker wrote addresses, the file has values relative to the base. */
function restoreDynamic(bytes: Uint8Array, at: number, dynamic: Segment, base: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let word = dynamic.offset + WORD; word < dynamic.offset + dynamic.size; word += 2 * WORD) {
    const place = word - at;
    if (place < 0 || place + WORD > bytes.length) continue;
    const value = view.getBigUint64(place, true);
    if (value >= BigInt(base)) view.setBigUint64(place, value - BigInt(base), true);
  }
}

/**
 * The loaded parts of a 64-bit library, by the offsets of its file; nothing is at the others.
 *
 * @param base Where the library is loaded; not 0, as that of a program that is not position
 * independent.
 * @throws {RangeError} when the memory cannot be read.
 */
export function imageSource(memory: OpenedMemory, base: number): ByteSource {
  const segments = readSegments(memory, base);
  const dynamic = segments.find(({ type }) => type === SEGMENT.dynamic);
  return {
    size: Number.MAX_SAFE_INTEGER,
    read(offset, length) {
      const segment = segments.find((one) =>
        one.type === SEGMENT.load && offset >= one.offset && offset < one.offset + one.size
      );
      if (segment === undefined) return new Uint8Array(0);
      const within = offset - segment.offset;
      const bytes = memory.read(
        base + segment.address + within,
        Math.min(length, segment.size - within),
      );
      if (dynamic !== undefined) restoreDynamic(bytes, offset, dynamic, base);
      return bytes;
    },
  };
}
