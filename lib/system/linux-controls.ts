/**
 * Memory on Linux that no preloaded allocator gave: blocks of the C library's own malloc, and pages
 * mapped in several ways. One that claims any of it proves nothing, also when it goes by who mapped
 * a page.
 *
 * @module
 */
import { libcLibrary, PAGE_SYMBOLS, PROCESS_MALLOC_SYMBOLS } from "../../ffi/symbols/libc.ts";
import { ffi } from "../../ffi/mod.ts";
import { type Address, NULL } from "../../ffi/types.ts";
import type { ControlAddress, ControlMemory } from "./types.ts";
import { findSymbol, locate, type OpenFlags, pageSize, unixCalls } from "./unix.ts";

/** The ways in which a page is mapped: `MAP_ANONYMOUS` with `MAP_PRIVATE` or `MAP_SHARED`. */
const MAPPINGS = [
  { what: "a page", flags: 0x20 | 0x02 },
  { what: "a shared page", flags: 0x20 | 0x01 },
] as const;

/** `PROT_READ | PROT_WRITE`: glibc is asked by the word before an address. */
const PROTECTION = 3;

/** Addresses are that far within, so that the word before can be read. */
const HEADER_ROOM = 16;

/** The second is larger than what libc's malloc takes from its heap. */
const LIBC_SIZES: readonly number[] = [100, 256 << 10];

interface Held extends ControlAddress {
  readonly release: () => void;
}

/** Pages by the `mmap` that the process finds, which may be a preload's, and by libc's own. */
function holdPages(): Held[] {
  const length = pageSize();
  const sources = [
    { whose: "the process's mmap", mmap: ffi().open(null, PAGE_SYMBOLS).calls.mmap },
    { whose: "libc's mmap", mmap: unixCalls().mmap },
  ];
  return sources.flatMap(({ whose, mmap }) =>
    MAPPINGS.flatMap(({ what, flags }) => {
      const page = Number(mmap(NULL, length, PROTECTION, flags, -1, 0n)) as Address;
      if (page <= 0) return [];
      const release = () => void unixCalls().munmap(page, length);
      return [{ what: `${what} from ${whose}`, address: (page + HEADER_ROOM) as Address, release }];
    })
  );
}

/** Blocks of libc's own malloc, where another one serves the process. */
function holdBlocks(flags: OpenFlags): Held[] {
  const handle = unixCalls().dlopen(libcLibrary(), flags.lazy | flags.noload);
  const own = handle === NULL ? null : locate(unixCalls().dlsym(BigInt(handle), "malloc"));
  if (handle !== NULL) unixCalls().dlclose(handle);
  if (own === null || own.object === findSymbol("malloc")?.object) return [];
  const { calls } = ffi().open(libcLibrary(), PROCESS_MALLOC_SYMBOLS);
  return LIBC_SIZES.flatMap((size) => {
    const block = calls.malloc(size);
    if (block === NULL) return [];
    const what = `a block of ${size} bytes of libc's own malloc`;
    return [{ what, address: (block + HEADER_ROOM) as Address, release: () => calls.free(block) }];
  });
}

/** Holds such memory. */
export function holdControlMemory(flags: OpenFlags): ControlMemory {
  const held = [...holdPages(), ...holdBlocks(flags)];
  return {
    addresses: held,
    close() {
      for (const { release } of held) release();
    },
  };
}
