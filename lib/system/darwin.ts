/**
 * macOS: one C library, and a dynamic linker that lists its images.
 *
 * @module
 */
import { foreign } from "../../ffi/mod.ts";
import { readCString } from "../../ffi/memory.ts";
import type { ForeignAddress, SystemPort } from "./types.ts";
import {
  executablePath,
  findSymbol,
  findSymbolIn,
  mapPageWithin,
  pageSize,
  readPointer,
  unmapPage,
} from "./unix.ts";

const OPEN_FLAGS = { lazy: 1, noload: 0x10 };

/** `MAP_PRIVATE | MAP_ANON`: without `MAP_FIXED` nothing is replaced. */
const MAP_FLAGS = 0x0002 | 0x1000;

/** `environ`'s slot is static data; libSystem keeps a pointer to it behind `_NSGetEnviron`. */
function foreignAddresses(): ForeignAddress[] {
  const { calls, close } = foreign().open(null, {
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

/** dyld's list of images stands in for Linux's maps. */
function mappedFiles(): Set<string> {
  const { calls, close } = foreign().open(null, {
    // uint32_t _dyld_image_count(void)
    _dyld_image_count: { parameters: [], result: "u32" },
    // const char *_dyld_get_image_name(uint32_t image_index)
    _dyld_get_image_name: { parameters: ["u32"], result: "pointer" },
  });
  const files = new Set<string>();
  const count = calls._dyld_image_count();
  for (let i = 0; i < count; i++) files.add(readCString(calls._dyld_get_image_name(i)));
  close();
  return files;
}

/** macOS. */
export const DARWIN: SystemPort = {
  libc: () => ({ name: "system", version: null }),
  findSymbol,
  findSymbolIn: (object, name) => findSymbolIn(object, name, OPEN_FLAGS),
  executable: executablePath,
  foreignAddresses,
  mappedFiles,
  mapPageWithin: (base, span) => mapPageWithin(base, span, MAP_FLAGS),
  unmapPage,
  pageSize,
};
