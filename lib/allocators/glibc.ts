/**
 * glibc's answers. It has no function for ownership: the header before each block does.
 * The layout is that of glibc's malloc.c, "struct malloc_chunk": the word before a block holds the
 * chunk's size, a multiple of 16, with three flags in its low bits, the second one of them set when
 * the chunk was mapped for itself.
 *
 * @module
 */
import { ffi } from "../../ffi/mod.ts";
import { readBytes, readCString } from "../../ffi/symbols/memory.ts";
import { SHIM_SYMBOLS } from "../../ffi/symbols/shim.ts";
import type { Address, NativeLibrary } from "../../ffi/types.ts";
import { system } from "../system/mod.ts";
import { openGlibcStatistics } from "./glibc/statistics.ts";
import { type AllocatorProbe, withoutShim } from "./probe.ts";
import type { AllocatorDescriptor } from "./types.ts";

const HEADER_BYTES = 8;
const FLAGS = 7n;
const IS_MMAPPED = 2n;
const MIN_CHUNK_BYTES = 32n;
const ALIGNMENT = 16n;

/** Above the largest threshold that glibc's tuning reaches: always mapped for itself. */
const COUNTER_BYTES = 96 << 20;

const COUNTERS = { offheap_glibc_in_use: SHIM_SYMBOLS.offheap_glibc_in_use };

/** Whether the word before a block is the header that glibc writes for `size` requested bytes. */
export function isGlibcHeader(header: bigint, size: number, pageSize: number): boolean {
  const chunk = header & ~FLAGS;
  const needed = BigInt(size) + BigInt(HEADER_BYTES);
  const slack = (header & IS_MMAPPED) !== 0n ? BigInt(pageSize) + ALIGNMENT : 2n * ALIGNMENT;
  const least = needed > MIN_CHUNK_BYTES ? needed : MIN_CHUNK_BYTES;
  return chunk % ALIGNMENT === 0n && chunk >= least && chunk < least + slack;
}

/** Opens glibc; its counter is read by offheap's shim, where that is at hand. */
function openGlibcProbe(object: string | null, shim: string | null): AllocatorProbe {
  const libc = ffi().open(object, {
    // const char *gnu_get_libc_version(void)
    gnu_get_libc_version: { parameters: [], result: "pointer" },
  });
  let counters: NativeLibrary<typeof COUNTERS> | null;
  try {
    counters = shim === null ? null : ffi().open(shim, COUNTERS);
  } catch (error) {
    libc.close();
    throw error;
  }
  const pageSize = system().pageSize();
  return {
    symbol: "gnu_get_libc_version",
    shimName: "system",
    version: () => readCString(libc.calls.gnu_get_libc_version()),
    ownershipQuestion: "glibc's chunk header",
    askableRegion: null,
    owns(address, size) {
      const header = readBytes((address - HEADER_BYTES) as Address, HEADER_BYTES);
      return isGlibcHeader(new DataView(header.buffer).getBigUint64(0, true), size, pageSize);
    },
    counterName: "mallinfo2's bytes in use",
    counterScope: "process",
    counterBytes: COUNTER_BYTES,
    counter() {
      if (counters === null) throw new RangeError(withoutShim("reads it"));
      const bytes = new BigUint64Array(1);
      const errno = counters.calls.offheap_glibc_in_use(bytes);
      if (errno !== 0) throw new RangeError("this glibc has no mallinfo2 (2.33 is the first)");
      return bytes[0] ?? 0n;
    },
    close() {
      libc.close();
      counters?.close();
    },
  };
}

/** glibc's malloc. */
export const GLIBC: AllocatorDescriptor<"glibc", "libc"> = {
  name: "glibc",
  source: "libc",
  mark: { symbols: ["gnu_get_libc_version"] },
  openProbe: openGlibcProbe,
  readOptions: null,
  openStatistics: openGlibcStatistics,
  figuresOf: null,
  advised: { fewArenas: "MALLOC_ARENA_MAX=2" },
  heapProfiling: { refusal: "it does not sample" },
  library: null,
  openMemory: null,
};
