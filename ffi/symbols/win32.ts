/**
 * The functions of Windows that offheap calls. Strings are UTF-16 with a terminating NUL.
 *
 * @module
 */
import type { SymbolTable } from "../types.ts";

/** The library that has {@linkcode KERNEL_SYMBOLS}. */
export const KERNEL_LIBRARY = "kernel32.dll";

/** Modules, pages and heaps. */
export const KERNEL_SYMBOLS = {
  // BOOL GetModuleHandleExW(DWORD flags, LPCWSTR name, HMODULE *module): the name of a module
  GetModuleHandleExW: { parameters: ["u32", "buffer", "buffer"], result: "i32" },
  // FARPROC GetProcAddress(HMODULE module, LPCSTR name)
  GetProcAddress: { parameters: ["pointer", "cstring"], result: "pointer" },
  // DWORD GetModuleFileNameW(HMODULE module, LPWSTR name, DWORD units); 0 fails
  GetModuleFileNameW: { parameters: ["pointer", "buffer", "u32"], result: "u32" },
  // BOOL K32EnumProcessModules(HANDLE process, HMODULE *modules, DWORD bytes, DWORD *needed): the
  // handle is an integer for the sake of the one that means this process, -1
  K32EnumProcessModules: { parameters: ["i64", "buffer", "u32", "buffer"], result: "i32" },
  // LPVOID VirtualAlloc(LPVOID address, SIZE_T size, DWORD type, DWORD protect)
  VirtualAlloc: { parameters: ["pointer", "usize", "u32", "u32"], result: "pointer" },
  // BOOL VirtualFree(LPVOID address, SIZE_T size, DWORD type)
  VirtualFree: { parameters: ["pointer", "usize", "u32"], result: "i32" },
  // void GetSystemInfo(SYSTEM_INFO *info)
  GetSystemInfo: { parameters: ["buffer"], result: "void" },
  // void GetCurrentThreadStackLimits(ULONG_PTR *low, ULONG_PTR *high)
  GetCurrentThreadStackLimits: { parameters: ["buffer", "buffer"], result: "void" },
  // BOOL HeapValidate(HANDLE heap, DWORD flags, LPCVOID block)
  HeapValidate: { parameters: ["pointer", "u32", "pointer"], result: "i32" },
} as const satisfies SymbolTable;

/** The same function by an address in the module. */
export const MODULE_OF_ADDRESS_SYMBOLS = {
  // BOOL GetModuleHandleExW(DWORD flags, LPCWSTR address, HMODULE *module)
  GetModuleHandleExW: { parameters: ["u32", "pointer", "buffer"], result: "i32" },
} as const satisfies SymbolTable;

/** What only the C runtime of Windows has: bind it with `open(null, …)`. */
export const RUNTIME_SYMBOLS = {
  // intptr_t _get_heap_handle(void): the heap that malloc takes from
  _get_heap_handle: { parameters: [], result: "pointer" },
  // int *__p___argc(void): the address of a variable
  __p___argc: { parameters: [], result: "pointer" },
} as const satisfies SymbolTable;
