/**
 * What libraries may need and weigh, by system and by library.
 *
 * @module
 */
import type { LibraryName, Variant } from "../../../lib/library/manifest.ts";
import type { Target } from "../../../lib/library/target.ts";

/** Libraries that a compiler adds of its own: every machine that it built for has them. */
export const HOST_COMPILER_LIBRARIES: readonly string[] = ["libgcc_s.so.1"];

const GLIBC: readonly RegExp[] = [
  /^lib(c|m)\.so\.6$/,
  /^libpthread\.so\.0$/,
  /^librt\.so\.1$/,
  /^libdl\.so\.2$/,
  // For thread-local variables; a part of glibc.
  /^ld-linux(-[\w-]+)?\.so\.\d$/,
];

/** zig links with the name that musl's own build has, Alpine's compiler with that of Alpine. */
const MUSL: readonly RegExp[] = [/^libc\.so$/, /^libc\.musl-\w+\.so\.1$/];

/**
 * The libraries that may be needed, by C library or else by platform: each is a part of every such
 * system, so that a library which was built for it needs nothing installed.
 */
const NEEDED: Readonly<Record<string, readonly RegExp[]>> = {
  glibc: GLIBC,
  musl: MUSL,
  linux: [...GLIBC, ...MUSL],
  // libgcc_s belongs to the system there.
  freebsd: [/^lib(c\.so\.7|m\.so\.5|thr\.so\.3|gcc_s\.so\.1)$/, /^ld-elf\.so\.1$/],
  darwin: [/^\/usr\/lib\/libSystem\.B\.dylib$/],
  win32: [
    // Windows ignores the case of a library's name.
    /^(kernel32|ntdll|advapi32|shell32|user32|psapi|bcrypt)\.dll$/i,
    // The C library: of Windows 10, by its parts or as a whole, or the older one.
    /^(api-ms-win-crt-[\w-]+|ucrtbase|msvcrt)\.dll$/i,
  ],
};

/**
 * The maximum size of a library, in bytes. Measured in release, over the targets that zig builds: the
 * shim 19 to 107 kB, mimalloc 125 to 180 kB, jemalloc 514 to 642 kB, and 933 kB with gcc. What is
 * beyond these has debug information, or a C library, in it.
 */
const MAX_BYTES: Readonly<Record<LibraryName, number>> = {
  offheap: 200_000,
  mimalloc: 1_500_000,
  jemalloc: 1_500_000,
};

/** The needed libraries that a target's system does not have. */
export function unavailableLibraries(
  target: Target,
  needed: readonly string[],
  more: readonly string[],
): string[] {
  const allowed = NEEDED[target.libc ?? target.platform] ?? [];
  return needed.filter((library) =>
    !more.includes(library) && !allowed.some((pattern) => pattern.test(library))
  );
}

/** The maximum size of a library, in bytes; `null` for a debug build, which is large by intent. */
export function maxBytes(name: LibraryName, variant: Variant): number | null {
  return variant === "debug" ? null : MAX_BYTES[name];
}
