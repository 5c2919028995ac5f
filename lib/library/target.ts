/**
 * The target that libraries are built for and taken from, such as `linux-x64-gnu`.
 *
 * @module
 */
import process from "node:process";
import { withPermission } from "../../ffi/errors.ts";
import { ElfError, type ElfFile, readElf } from "../binary/elf.ts";
import { executablePath } from "../system/executable.ts";

/** A C library by name. */
export type LibcName = "glibc" | "musl";

/** What a library has to be built for. */
export interface Target {
  /** `linux-x64-gnu`, `linux-arm64-musl`, `darwin-arm64`, `win32-x64`, … */
  readonly name: string;
  /** The operating system by Node's name. */
  readonly platform: string;
  /** The processor by Node's name. */
  readonly arch: string;
  /** Linux's C library; `null` on other systems, and where it could not be determined. */
  readonly libc: LibcName | null;
}

const RUNNING_PROGRAM = "/proc/self/exe";

/** How a C library shows in the file name of its dynamic linker, or in the linker's own name. */
const LIBC_MARKS: readonly { readonly pattern: RegExp; readonly libc: LibcName }[] = [
  { pattern: /^ld-linux|^ld64\.so|^ld\.so\.1$/, libc: "glibc" },
  { pattern: /^ld-musl-|^libc\.musl-|^libc\.so$/, libc: "musl" },
];

const LIBC_SUFFIXES: Readonly<Record<LibcName, string>> = { glibc: "gnu", musl: "musl" };

/**
 * The C library whose dynamic linker has this path or name.
 *
 * @param interpreter A path such as `/lib64/ld-linux-x86-64.so.2`.
 * @returns `null` for a linker that is not known.
 */
export function libcOfInterpreter(interpreter: string): LibcName | null {
  const name = interpreter.slice(interpreter.lastIndexOf("/") + 1);
  return LIBC_MARKS.find((mark) => mark.pattern.test(name))?.libc ?? null;
}

/**
 * The C library of the running runtime, found from the dynamic linker that its program asks for.
 * For a program that was started by naming the linker itself, the linker's own name decides.
 *
 * @returns `null` on systems other than Linux, and for a static runtime.
 * @throws {PermissionError} when the runtime may not read its own program.
 */
function hostLibc(): LibcName | null {
  if (process.platform !== "linux") return null;
  const program = readRunningProgram();
  return libcOfInterpreter(program.interpreter ?? program.soname ?? "");
}

function readRunningProgram(): ElfFile {
  try {
    return readElf(RUNNING_PROGRAM);
  } catch (error) {
    if (error instanceof ElfError) throw error;
    // There may be no /proc, and Deno opens its files with all permissions only.
    const path = executablePath();
    return withPermission(`read "${path}"`, "--allow-read", () => readElf(path));
  }
}

/**
 * The target's name for a platform, processor and C library.
 *
 * @example
 * ```ts
 * targetName("linux", "x64", "glibc"); // "linux-x64-gnu"
 * targetName("darwin", "arm64", null); // "darwin-arm64"
 * ```
 */
export function targetName(platform: string, arch: string, libc: LibcName | null): string {
  const suffix = libc === null ? "" : `-${LIBC_SUFFIXES[libc]}`;
  return `${platform}-${arch}${suffix}`;
}

/**
 * The target of the running runtime.
 *
 * @throws {PermissionError} when the runtime may not read its own program.
 */
export function hostTarget(): Target {
  host ??= describeHost();
  return host;
}

let host: Target | undefined;

function describeHost(): Target {
  const libc = hostLibc();
  return {
    name: targetName(process.platform, process.arch, libc),
    platform: process.platform,
    arch: process.arch,
    libc,
  };
}
