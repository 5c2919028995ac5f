/**
 * Linux: `/proc`, glibc and musl.
 *
 * @module
 */
import { ffi } from "../../ffi/mod.ts";
import { readCString } from "../../ffi/symbols/memory.ts";
import { NULL } from "../../ffi/types.ts";
import { readProcess } from "./files.ts";
import type { CLibrary, ControlAddress, SymbolLocation, SystemPort } from "./types.ts";
import { findGlibcSymbol } from "./glibc-symbols.ts";
import { findMuslSymbol, findMuslSymbolIn } from "./musl-symbols.ts";
import { executablePath } from "./executable.ts";
import { holdControlMemory } from "./linux-controls.ts";
import { mappedFiles, parseMaps } from "./linux-maps.ts";
import {
  findSymbol as findAny,
  findSymbolIn,
  mapPageWithin,
  pageSize,
  readPointer,
  unmapPage,
} from "./unix.ts";

const OPEN_FLAGS = { lazy: 1, noload: 4 };

/** `MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE`; kernels before 4.17 ignore the last. */
const MAP_FLAGS = 0x02 | 0x20 | 0x100000;

let libc: CLibrary | undefined;

/** `dlsym` also finds the program's PLT stub for a definition elsewhere. */
function findSymbol(name: string): SymbolLocation | null {
  const found = findAny(name);
  if (found === null || found.object !== executablePath()) return found;
  const find = detect().name === "glibc" ? findGlibcSymbol : findMuslSymbol;
  return find(name, found, OPEN_FLAGS);
}

function findInObject(object: string, name: string): SymbolLocation | null {
  const find = detect().name === "glibc" ? findSymbolIn : findMuslSymbolIn;
  return find(object, name, OPEN_FLAGS);
}

function detect(): CLibrary {
  return libc ??= detectLibc();
}

function detectLibc(): CLibrary {
  const glibc = findAny("gnu_get_libc_version");
  if (glibc === null) return { name: "musl", version: null };
  const { calls, close } = ffi().open(null, {
    // const char *gnu_get_libc_version(void)
    gnu_get_libc_version: { parameters: [], result: "pointer" },
  });
  const version = readCString(calls.gnu_get_libc_version());
  close();
  return { name: "glibc", version };
}

/**
 * `program_invocation_name` is a variable of libc (glibc and musl) that points at the program's
 * first argument, which the kernel put at the bottom of the main thread's stack.
 */
function controlAddresses(): ControlAddress[] {
  const variable = findSymbol("program_invocation_name");
  if (variable === null) return [];
  const addresses = [{ what: "libc's static data", address: variable.address }];
  const stack = readPointer(variable.address);
  if (stack !== NULL) addresses.push({ what: "the main thread's stack", address: stack });
  return addresses;
}

/** Linux. */
export const LINUX: SystemPort = {
  libc: detect,
  findSymbol,
  findSymbolIn: findInObject,
  executable: executablePath,
  controlAddresses,
  holdControlMemory: () => holdControlMemory(OPEN_FLAGS),
  mappedFiles: () => mappedFiles(parseMaps(readProcess("maps"))),
  mapPageWithin: (base, span) => mapPageWithin(base, span, MAP_FLAGS),
  unmapPage,
  pageSize,
  mallocShowsServer: true,
  openSystemHeap: null,
};
