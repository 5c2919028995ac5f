/**
 * Numbers of the Mach-O format, by offheap's names.
 *
 * @module
 */

/** Magic numbers, as they read with the lowest byte first. */
export const MAGIC = {
  file: 0xfeedfacf,
  /** Files of 32 bits, and those of the other byte order. */
  others: [0xfeedface, 0xcefaedfe, 0xcffaedfe],
} as const;

/** File types (`MH_*`). */
export const FILE_TYPES: Readonly<Record<number, string>> = {
  1: "object",
  2: "executable",
  4: "core",
  6: "dylib",
  7: "dylinker",
  8: "bundle",
  9: "dylib stub",
  10: "debug symbols",
  11: "kernel extension",
};

/** Processors (`CPU_TYPE_*`) by Node's names for them. */
export const CPU_TYPES: Readonly<Record<number, string>> = {
  7: "ia32",
  12: "arm",
  18: "ppc",
  0x01000007: "x64",
  0x0100000c: "arm64",
  0x01000012: "ppc64",
};

/** The bits of a processor's subtype that name the subtype, without those for features of its file. */
export const SUBTYPE_MASK = 0x00ffffff;

/** Processors by Apple's names, where the subtype is one of its own. */
export const SUBTYPES: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  x64: { 8: "x86_64h" },
  arm64: { 2: "arm64e" },
};

/** Processors by Apple's names. */
export const APPLE_NAMES: Readonly<Record<string, string>> = { x64: "x86_64", ia32: "i386" };

/** Load commands (`LC_*`). */
export const COMMAND = {
  symbols: 0x2,
  segment: 0x19,
  uuid: 0x1b,
  signature: 0x1d,
  exportsTrie: 0x80000033,
} as const;

/** What a library is loaded for, by its load command (`LC_LOAD_DYLIB`, `LC_ID_DYLIB`, …). */
export const DYLIB_COMMANDS: Readonly<Record<number, DylibKind | "own">> = {
  0xc: "load",
  0xd: "own",
  0x20: "lazy",
  0x80000018: "weak",
  0x8000001f: "reexport",
  0x80000023: "upward",
};

/** How a library is needed; a `weak` one may be missing. */
export type DylibKind = "load" | "weak" | "reexport" | "lazy" | "upward";

/** `LC_DYLD_INFO` and `LC_DYLD_INFO_ONLY`: commands with the place of an exports trie. */
export const DYLD_INFO_COMMANDS: readonly number[] = [0x22, 0x80000022];

/** `LC_BUILD_VERSION`, whose platform is a number. */
export const BUILD_VERSION = 0x32;

/** Platforms of `LC_BUILD_VERSION` (`PLATFORM_*`). */
export const PLATFORMS: Readonly<Record<number, string>> = {
  1: "macos",
  2: "ios",
  3: "tvos",
  4: "watchos",
  6: "maccatalyst",
  7: "ios simulator",
  10: "driverkit",
  11: "visionos",
};

/** The older commands (`LC_VERSION_MIN_*`), one for each platform. */
export const VERSION_MIN_COMMANDS: Readonly<Record<number, string>> = {
  0x24: "macos",
  0x25: "ios",
  0x2f: "tvos",
  0x30: "watchos",
};

/** Section types of thread-local variables (`S_THREAD_LOCAL_*`). */
export const THREAD_LOCAL_TYPES: readonly number[] = [0x11, 0x12, 0x13, 0x14, 0x15];

/** The section type of interposed functions (`S_INTERPOSING`). */
export const INTERPOSING_TYPE = 0xd;
