/**
 * The C library's symbols that offheap uses, and what the library is called.
 *
 * @module
 */
import process from "node:process";
import type { SymbolTable } from "../types.ts";

/** What every system's C library has: copying out of native memory. */
export const COPY_SYMBOLS = {
  // void *memcpy(void *dest, const void *src, size_t n)
  memcpy: { parameters: ["buffer", "pointer", "usize"], result: "pointer" },
  // size_t strnlen(const char *s, size_t maxlen)
  strnlen: { parameters: ["pointer", "usize"], result: "usize" },
} as const satisfies SymbolTable;

/** The dynamic linker of Unix. */
export const LOADER_SYMBOLS = {
  // void *dlsym(void *handle, const char *symbol): the handle is an integer for RTLD_DEFAULT's sake
  dlsym: { parameters: ["i64", "cstring"], result: "pointer" },
  // int dladdr(const void *addr, Dl_info *info)
  dladdr: { parameters: ["pointer", "buffer"], result: "i32" },
  // void *dlopen(const char *path, int flags)
  dlopen: { parameters: ["cstring", "i32"], result: "pointer" },
  // int dlclose(void *handle)
  dlclose: { parameters: ["pointer"], result: "i32" },
} as const satisfies SymbolTable;

/** Pages of memory, as Unix has them. */
export const PAGE_SYMBOLS = {
  // void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset); -1 fails
  mmap: { parameters: ["pointer", "usize", "i32", "i32", "i32", "i64"], result: "i64" },
  // int munmap(void *addr, size_t length)
  munmap: { parameters: ["pointer", "usize"], result: "i32" },
  // long sysconf(int name)
  sysconf: { parameters: ["i32"], result: "long" },
} as const satisfies SymbolTable;

/** What a process hands on when it becomes another program, as Linux has it. */
export const HANDOVER_SYMBOLS = {
  // int fcntl(int fd, int op, ...): what follows is passed like any argument here; -1 fails
  fcntl: { parameters: ["i32", "i32", "long"], result: "i32" },
  // sighandler_t signal(int signum, sighandler_t handler); -1 fails
  signal: { parameters: ["i32", "i64"], result: "i64" },
  // int setrlimit(int resource, const struct rlimit *rlim); -1 fails
  setrlimit: { parameters: ["i32", "buffer"], result: "i32" },
} as const satisfies SymbolTable;

/** What a process's children have used, on 64-bit Unix. */
export const CHILD_USAGE_SYMBOLS = {
  // int getrusage(int who, struct rusage *usage)
  getrusage: { parameters: ["i32", "buffer"], result: "i32" },
} as const satisfies SymbolTable;

/** What this user may do with a file: unlike Deno's `node:fs`, the kernel knows a read-only mount. */
export const ACCESS_SYMBOLS = {
  // int access(const char *path, int mode); -1 fails
  access: { parameters: ["cstring", "i32"], result: "i32" },
} as const satisfies SymbolTable;

/** Extended attributes, as Linux has them. */
export const XATTR_SYMBOLS = {
  // ssize_t getxattr(const char *path, const char *name, void *value, size_t size); -1 fails
  getxattr: { parameters: ["cstring", "cstring", "buffer", "usize"], result: "i64" },
} as const satisfies SymbolTable;

/** What only glibc has. */
export const GLIBC_SYMBOLS = {
  // int dladdr1(const void *addr, Dl_info *info, void **extra_info, int flags)
  dladdr1: { parameters: ["pointer", "buffer", "buffer", "i32"], result: "i32" },
} as const satisfies SymbolTable;

/** The malloc family as the process finds it: bind it with `open(null, …)`. */
export const PROCESS_MALLOC_SYMBOLS = {
  // void *malloc(size_t size)
  malloc: { parameters: ["usize"], result: "pointer" },
  // void free(void *ptr)
  free: { parameters: ["pointer"], result: "void" },
} as const satisfies SymbolTable;

/** What the process's allocator may have besides: bind it with `open(null, …)`. */
export const GLIBC_MALLOC_SYMBOLS = {
  // int malloc_trim(size_t pad)
  malloc_trim: { parameters: ["usize"], result: "i32", optional: true },
} as const satisfies SymbolTable;

/** glibc's report of its malloc, and a stream in memory for it. */
export const MALLOC_INFO_SYMBOLS = {
  // int malloc_info(int options, FILE *stream)
  malloc_info: { parameters: ["i32", "pointer"], result: "i32" },
  // FILE *open_memstream(char **ptr, size_t *sizeloc): both have to stay where they are
  open_memstream: { parameters: ["pointer", "pointer"], result: "pointer" },
  // int fseek(FILE *stream, long offset, int whence)
  fseek: { parameters: ["pointer", "long", "i32"], result: "i32" },
  // int fflush(FILE *stream)
  fflush: { parameters: ["pointer"], result: "i32" },
  // int fclose(FILE *stream)
  fclose: { parameters: ["pointer"], result: "i32" },
} as const satisfies SymbolTable;

const LIBC_LIBRARIES: Readonly<Partial<Record<NodeJS.Platform, string>>> = {
  linux: "libc.so.6",
  darwin: "/usr/lib/libSystem.B.dylib",
  freebsd: "libc.so.7",
  win32: "ucrtbase.dll",
};

/**
 * The name by which this platform's dynamic linker finds the C library. musl's linker answers to
 * `libc.so.6` too: it takes any name that starts with `libc.` for itself.
 */
export function libcLibrary(): string {
  return LIBC_LIBRARIES[process.platform] ?? "libc.so";
}

/**
 * What is opened for the process itself where there is no search over all loaded objects: on Windows
 * the universal C runtime, whose `malloc` is that of every library that does not bring its own.
 */
export function processLibrary(): string | null {
  return process.platform === "win32" ? libcLibrary() : null;
}

/** `dlsym`'s handle for the global search order: `(void *)-2` on macOS and FreeBSD, else `NULL`. */
export function rtldDefault(): bigint {
  return process.platform === "darwin" || process.platform === "freebsd" ? -2n : 0n;
}
