/**
 * macOS: one C library, and a dynamic linker that lists its images.
 *
 * @module
 */
import { ffi } from "../../ffi/mod.ts";
import { readCString } from "../../ffi/symbols/memory.ts";
import { type Address, NULL } from "../../ffi/types.ts";
import type { ControlAddress, SystemHeap, SystemPort } from "./types.ts";
import { executablePath } from "./executable.ts";
import {
  findSymbol,
  findSymbolIn,
  mapPageWithin,
  objectAt,
  objectPath,
  pageSize,
  readPointer,
  unmapPage,
} from "./unix.ts";

const OPEN_FLAGS = { lazy: 1, noload: 0x10 };

/** `MAP_PRIVATE | MAP_ANON`: without `MAP_FIXED` nothing is replaced. */
const MAP_FLAGS = 0x0002 | 0x1000;

/** `_NSGetArgv` gives the address of a static variable, which points at the arguments at the stack's bottom. */
function controlAddresses(): ControlAddress[] {
  const { calls, close } = ffi().open(null, {
    // char ***_NSGetArgv(void)
    _NSGetArgv: { parameters: [], result: "pointer" },
  });
  const variable = calls._NSGetArgv();
  close();
  return [
    { what: "libSystem's static data", address: variable },
    { what: "the main thread's stack", address: readPointer(variable) },
  ];
}

/** dyld's list of images, in place of Linux's maps. */
function mappedFiles(): Set<string> {
  const { calls, close } = ffi().open(null, {
    // uint32_t _dyld_image_count(void)
    _dyld_image_count: { parameters: [], result: "u32" },
    // const char *_dyld_get_image_name(uint32_t image_index)
    _dyld_get_image_name: { parameters: ["u32"], result: "pointer" },
  });
  const files = new Set<string>();
  const count = calls._dyld_image_count();
  for (let i = 0; i < count; i++) {
    const name = calls._dyld_get_image_name(i);
    // Another thread may unload one meanwhile.
    if (name !== NULL) files.add(objectPath(readCString(name)));
  }
  close();
  return files;
}

/** Where `malloc_zone_t` has its function `malloc`: after two reserved words and `size`. */
const ZONE_MALLOC_OFFSET = 24;

/**
 * A block belongs to a zone, and the zone's functions to the library that made it. Processes of
 * arm64e sign the pointers to them; those of arm64, as runtimes are, do not.
 */
function openSystemHeap(): SystemHeap {
  const { calls, close } = ffi().open(null, {
    // malloc_zone_t *malloc_zone_from_ptr(const void *ptr)
    malloc_zone_from_ptr: { parameters: ["pointer"], result: "pointer" },
  });
  const own = findSymbol("malloc_zone_from_ptr")?.object ?? null;
  return {
    question: "malloc_zone_from_ptr",
    owns(address) {
      const zone = calls.malloc_zone_from_ptr(address);
      if (zone === NULL) return false;
      const object = objectAt(readPointer((zone + ZONE_MALLOC_OFFSET) as Address));
      return object !== null && object === own;
    },
    close,
  };
}

/** macOS. */
export const DARWIN: SystemPort = {
  libc: () => ({ name: "system", version: null }),
  findSymbol,
  findSymbolIn: (object, name) => findSymbolIn(object, name, OPEN_FLAGS),
  executable: executablePath,
  controlAddresses,
  holdControlMemory: () => ({ addresses: [], close() {} }),
  mappedFiles,
  mapPageWithin: (base, span) => mapPageWithin(base, span, MAP_FLAGS),
  unmapPage,
  pageSize,
  mallocShowsServer: false,
  openSystemHeap,
};
