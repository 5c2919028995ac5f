/**
 * Windows: modules instead of a search over all objects, and the universal C runtime as the one
 * whose `malloc` counts. Programs may link a C runtime of their own; every one of them takes from
 * heaps of the system, and none can be replaced from outside.
 *
 * @module
 */
import { realpathSync } from "node:fs";
import { libcLibrary } from "../../ffi/symbols/libc.ts";
import { ffi } from "../../ffi/mod.ts";
import { type Address, type Calls, NULL } from "../../ffi/types.ts";
import {
  KERNEL_LIBRARY,
  KERNEL_SYMBOLS,
  MODULE_OF_ADDRESS_SYMBOLS,
  RUNTIME_SYMBOLS,
} from "../../ffi/symbols/win32.ts";
import { SystemInfoError } from "../errors.ts";
import { executablePath } from "./executable.ts";
import type { ControlAddress, SymbolLocation, SystemHeap, SystemPort } from "./types.ts";

/** `GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT`, and with it `…_FROM_ADDRESS`. */
const MODULE_FLAGS = { byName: 2, byAddress: 2 | 4 };

const THIS_PROCESS = -1n;
/** Longer than any path that Windows opens, in UTF-16 units. */
const LONGEST_PATH = 32_768;
const MAX_MODULES = 4096;
const POINTER_BYTES = 8;

const RESERVE_AND_COMMIT = 0x3000;
const RELEASE = 0x8000;
const PAGE_NOACCESS = 1;
/** Addresses of mappings are multiples of it. */
const GRANULARITY = 65_536;

/** `SYSTEM_INFO`: its size, and where it has `dwPageSize`. */
const SYSTEM_INFO = { bytes: 48, pageSize: 4 };

/** How far below its end a place on the stack is in use for certain. */
const STACK_DEPTH = 256;

let kernelCalls: Calls<typeof KERNEL_SYMBOLS> | undefined;
let addressCalls: Calls<typeof MODULE_OF_ADDRESS_SYMBOLS> | undefined;

function kernel(): Calls<typeof KERNEL_SYMBOLS> {
  kernelCalls ??= ffi().open(KERNEL_LIBRARY, KERNEL_SYMBOLS).calls;
  return kernelCalls;
}

/** A string as Windows takes it, NUL-terminated. */
function encodeWide(text: string): Uint16Array<ArrayBuffer> {
  return Uint16Array.from({ length: text.length + 1 }, (_, at) => text.charCodeAt(at) || 0);
}

function moduleNamed(name: string): Address {
  const module = new BigUint64Array(1);
  const found = kernel().GetModuleHandleExW(MODULE_FLAGS.byName, encodeWide(name), module);
  return (found === 0 ? NULL : Number(module[0])) as Address;
}

function moduleAt(address: Address): Address {
  addressCalls ??= ffi().open(KERNEL_LIBRARY, MODULE_OF_ADDRESS_SYMBOLS).calls;
  const module = new BigUint64Array(1);
  const found = addressCalls.GetModuleHandleExW(MODULE_FLAGS.byAddress, address, module);
  return (found === 0 ? NULL : Number(module[0])) as Address;
}

/** One file has one name, however it was opened: long, in its own case, links followed. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    // A file that was removed since, or that may not be read, keeps the loader's name.
    return path;
  }
}

function moduleFile(module: Address): string | null {
  const units = new Uint16Array(LONGEST_PATH);
  const length = kernel().GetModuleFileNameW(module, units, units.length);
  if (length === 0) return null;
  return realPath(String.fromCharCode(...units.subarray(0, length)));
}

function objectAt(address: Address): string | null {
  const module = moduleAt(address);
  return module === NULL ? null : moduleFile(module);
}

/** A module may forward a name to another one: the address is then in that one. */
function findInModule(module: Address, name: string): SymbolLocation | null {
  if (module === NULL) return null;
  const address = kernel().GetProcAddress(module, name);
  return address === NULL ? null : { address, object: objectAt(address) };
}

/** There is no search over the process's modules: the C runtime's symbols are taken. */
function findSymbol(name: string): SymbolLocation | null {
  return findInModule(moduleNamed(libcLibrary()), name);
}

function findSymbolIn(object: string, name: string): SymbolLocation | null {
  const found = findInModule(moduleNamed(object), name);
  return found?.object === realPath(object) ? found : null;
}

function controlAddresses(): ControlAddress[] {
  const { calls, close } = ffi().open(null, { __p___argc: RUNTIME_SYMBOLS.__p___argc });
  const variable = calls.__p___argc();
  close();
  const [low, high] = [new BigUint64Array(1), new BigUint64Array(1)];
  kernel().GetCurrentThreadStackLimits(low, high);
  return [
    { what: "the C runtime's static data", address: variable },
    { what: "this thread's stack", address: (Number(high[0]) - STACK_DEPTH) as Address },
  ];
}

function mappedFiles(): Set<string> {
  const modules = new BigUint64Array(MAX_MODULES);
  const needed = new Uint32Array(1);
  const { K32EnumProcessModules } = kernel();
  if (K32EnumProcessModules(THIS_PROCESS, modules, modules.byteLength, needed) === 0) {
    throw new SystemInfoError("Cannot list the modules of this process: Windows refuses to.");
  }
  const files = new Set<string>();
  for (const module of modules.subarray(0, (needed[0] ?? 0) / POINTER_BYTES)) {
    const file = moduleFile(Number(module) as Address);
    if (file !== null) files.add(file);
  }
  return files;
}

function mapPageWithin(base: Address, span: number): Address | null {
  const first = Math.max(base, GRANULARITY);
  for (let at = first - first % GRANULARITY; at < base + span; at += GRANULARITY) {
    const wanted = at as Address;
    const page = kernel().VirtualAlloc(wanted, pageSize(), RESERVE_AND_COMMIT, PAGE_NOACCESS);
    if (page >= base && page !== NULL) return page;
    if (page !== NULL) unmapPage(page);
  }
  return null;
}

function unmapPage(page: Address): void {
  kernel().VirtualFree(page, 0, RELEASE);
}

function pageSize(): number {
  const info = new DataView(new ArrayBuffer(SYSTEM_INFO.bytes));
  kernel().GetSystemInfo(info);
  return info.getUint32(SYSTEM_INFO.pageSize, true);
}

/** The heap of the C runtime knows its blocks, and looks at other addresses without harm. */
function openSystemHeap(): SystemHeap {
  const { calls, close } = ffi().open(null, {
    _get_heap_handle: RUNTIME_SYMBOLS._get_heap_handle,
  });
  const heap = calls._get_heap_handle();
  return {
    question: "HeapValidate of the C runtime's heap",
    owns: (address) => kernel().HeapValidate(heap, 0, address) !== 0,
    close,
  };
}

/** Windows. */
export const WIN32: SystemPort = {
  libc: () => ({ name: "ucrt", version: null }),
  findSymbol,
  findSymbolIn,
  executable: executablePath,
  controlAddresses,
  holdControlMemory: () => ({ addresses: [], close() {} }),
  mappedFiles,
  mapPageWithin,
  unmapPage,
  pageSize,
  mallocShowsServer: true,
  openSystemHeap,
};
