/**
 * Numbers of the ELF format, by offheap's names.
 *
 * @module
 */

/** Segment types (`PT_*`). */
export const SEGMENT = { load: 1, dynamic: 2, interpreter: 3, note: 4, tls: 7 } as const;

/** Section types (`SHT_*`). */
export const SECTION = { symbols: 2, dynamicSymbols: 11 } as const;

/** The least size of a program header, by word size. */
export const SEGMENT_ENTRY_SIZE: Readonly<Record<32 | 64, number>> = { 32: 32, 64: 56 };

/** Tags of the dynamic section (`DT_*`). */
export const DYNAMIC = {
  needed: 1,
  hash: 4,
  strings: 5,
  symbols: 6,
  soname: 14,
  symbolic: 16,
  flags: 30,
  gnuHash: 0x6ffffef5,
  flags1: 0x6ffffffb,
  versions: 0x6ffffffe,
  versionCount: 0x6fffffff,
} as const;

/** Bits of `DT_FLAGS` (`DF_*`). */
export const FLAGS = { symbolic: 0x2, bindNow: 0x8, staticTls: 0x10 } as const;

/** Bits of `DT_FLAGS_1` (`DF_1_*`). */
export const FLAGS_1 = { now: 0x1, noDelete: 0x8, pie: 0x08000000 } as const;

/** File types (`ET_*`). */
export const TYPES: Readonly<Record<number, string>> = {
  1: "relocatable",
  2: "executable",
  3: "shared",
  4: "core",
};

/** Processors (`EM_*`) by Node's names for them. */
export const MACHINES: Readonly<Record<number, string>> = {
  3: "ia32",
  8: "mips",
  21: "ppc64",
  22: "s390x",
  40: "arm",
  62: "x64",
  183: "arm64",
  243: "riscv64",
  258: "loong64",
};

/** Symbol bindings that other objects see (`STB_GLOBAL`, `STB_WEAK`, `STB_GNU_UNIQUE`). */
export const VISIBLE_BINDINGS: Readonly<Record<number, "global" | "weak">> = {
  1: "global",
  2: "weak",
  10: "global",
};

/** Symbol types (`STT_*`). */
export const SYMBOL_TYPES: Readonly<Record<number, string>> = {
  0: "none",
  1: "object",
  2: "function",
  5: "common",
  6: "tls",
  10: "indirect",
};
