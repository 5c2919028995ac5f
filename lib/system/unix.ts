/**
 * What the Unix systems have in common: `dlsym` and `dladdr`.
 *
 * @module
 */
import { realpathSync } from "node:fs";
import { isAbsolute } from "node:path";
import process from "node:process";
import { libcLibrary, LOADER_SYMBOLS, PAGE_SYMBOLS, rtldDefault } from "../../ffi/symbols/libc.ts";
import { readBytes, readCString } from "../../ffi/symbols/memory.ts";
import { ffi } from "../../ffi/mod.ts";
import { type Address, type Calls, NULL } from "../../ffi/types.ts";
import { executablePath } from "./executable.ts";
import type { SymbolLocation } from "./types.ts";

/** `dlopen`'s flags, which differ between systems. */
export interface OpenFlags {
  /** `RTLD_LAZY`. */
  readonly lazy: number;
  /** `RTLD_NOLOAD`: answer only for what is loaded already. */
  readonly noload: number;
}

const UNIX_SYMBOLS = { ...LOADER_SYMBOLS, ...PAGE_SYMBOLS };

let opened: Calls<typeof UNIX_SYMBOLS> | undefined;

/** The dynamic linker's functions and those for pages, opened at the first call and kept. */
export function unixCalls(): Calls<typeof UNIX_SYMBOLS> {
  opened ??= ffi().open(libcLibrary(), UNIX_SYMBOLS).calls;
  return opened;
}

const POINTER_BYTES = 8;
const DL_INFO_WORDS = 4;
const SC_PAGESIZE: Readonly<Partial<Record<NodeJS.Platform, number>>> = {
  linux: 30,
  android: 39,
  darwin: 29,
  freebsd: 47,
};

/** The pointer that is stored at an address. */
export function readPointer(address: Address): Address {
  return Number(
    new DataView(readBytes(address, POINTER_BYTES).buffer).getBigUint64(0, true),
  ) as Address;
}

/** The real path of an object by the dynamic linker's name for it, which is loose for the program. */
export function objectPath(name: string): string {
  if (!isAbsolute(name)) return executablePath();
  try {
    return realpathSync(name);
  } catch {
    // A file that was replaced or removed since, or that may not be read, keeps the linker's name.
    return name;
  }
}

/** The object file that holds an address, by `dladdr`; `null` when none does. */
export function objectAt(address: Address): string | null {
  const info = new BigUint64Array(DL_INFO_WORDS);
  if (unixCalls().dladdr(address, info) === 0) return null;
  const name = Number(info[0] ?? 0n) as Address;
  return name === NULL ? null : objectPath(readCString(name));
}

/** Where an address is; `null` for `NULL`. */
export function locate(address: Address): SymbolLocation | null {
  return address === NULL ? null : { address, object: objectAt(address) };
}

/** The symbol that the global search order finds. */
export function findSymbol(name: string): SymbolLocation | null {
  return locate(unixCalls().dlsym(rtldDefault(), name));
}

/** The symbol in one object that is loaded already; its dependencies do not count. */
export function findSymbolIn(
  object: string,
  name: string,
  flags: OpenFlags,
): SymbolLocation | null {
  // What the whole process finds first is found also when the object's file is another by now.
  const first = findSymbol(name);
  if (first?.object === object || object === executablePath()) {
    return first?.object === object ? first : null;
  }
  const handle = unixCalls().dlopen(object, flags.lazy | flags.noload);
  if (handle === NULL) return null;
  try {
    const found = locate(unixCalls().dlsym(BigInt(handle), name));
    return found?.object === objectPath(object) ? found : null;
  } finally {
    unixCalls().dlclose(handle);
  }
}

/** The size of a page of memory, in bytes. */
export function pageSize(): number {
  const name = SC_PAGESIZE[process.platform];
  if (name === undefined) {
    throw new RangeError(`Cannot ask for the page size on "${process.platform}": it is not known.`);
  }
  return unixCalls().sysconf(name);
}

const PROT_NONE = 0;

/** Tries this many addresses before it gives up. */
const MAPPING_ATTEMPTS = 2048;

/**
 * Maps a fresh page within a range.
 *
 * @param flags The system's flags for a private anonymous mapping that replaces no other.
 */
export function mapPageWithin(base: Address, span: number, flags: number): Address | null {
  const { mmap, munmap } = unixCalls();
  const step = span / MAPPING_ATTEMPTS;
  // Never the page at 0, which root may map: a null pointer would then point to something.
  const first = base === NULL ? base + step : base;
  for (let at = first as Address; at < base + span; at = (at + step) as Address) {
    const page = Number(mmap(at, 1, PROT_NONE, flags, -1, 0n)) as Address;
    if (page >= base && page < base + span) return page;
    // -1 is mmap's failure; another address is a system's answer that the range is taken there.
    if (page > 0) munmap(page, 1);
  }
  return null;
}

/** Gives such a page back. */
export function unmapPage(page: Address): void {
  unixCalls().munmap(page, 1);
}
