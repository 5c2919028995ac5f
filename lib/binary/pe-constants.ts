/**
 * Numbers of the PE format, by offheap's names.
 *
 * @module
 */

/** Magic numbers: of a DOS program, of a PE file, and of its optional header by word size. */
export const MAGIC = { dos: 0x5a4d, pe: 0x00004550, pe32: 0x10b, pe32Plus: 0x20b } as const;

/** Processors (`IMAGE_FILE_MACHINE_*`) by Node's names for them. */
export const MACHINES: Readonly<Record<number, string>> = {
  0x14c: "ia32",
  0x1c4: "arm",
  0x8664: "x64",
  0xaa64: "arm64",
};

/** Subsystems (`IMAGE_SUBSYSTEM_*`). */
export const SUBSYSTEMS: Readonly<Record<number, string>> = {
  1: "native",
  2: "gui",
  3: "console",
  9: "windows ce",
  10: "efi",
};

/** Bits of the characteristics (`IMAGE_FILE_*`). */
export const CHARACTERISTICS = { library: 0x2000 } as const;

/** Bits of the DLL characteristics (`IMAGE_DLLCHARACTERISTICS_*`). */
export const DLL_CHARACTERISTICS = {
  highEntropy: 0x20,
  dynamicBase: 0x40,
  noExecute: 0x100,
} as const;

/** Numbers of the data directories (`IMAGE_DIRECTORY_ENTRY_*`). */
export const DIRECTORY = { exports: 0, imports: 1, debug: 6, tls: 9, delayImports: 13 } as const;

/** The debug entry which says that time stamps are hashes (`IMAGE_DEBUG_TYPE_REPRO`). */
export const REPRODUCIBLE_ENTRY = 16;
