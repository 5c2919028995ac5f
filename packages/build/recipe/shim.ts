/**
 * How offheap's own C shim is built.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { MEMORY_SYMBOLS, SHIM_SYMBOLS } from "../../../ffi/symbols/shim.ts";
import { BuildError } from "../../../lib/errors.ts";
import {
  LINK_FLAGS,
  nameFlags,
  type ObjectFormat,
  objectFormat,
  symbolNames,
  writeExports,
} from "./link.ts";
import type { Recipe } from "../types.ts";

/** The source file that defines the version of the binary interface. */
const SHIM_FILE = "offheap.c";

/** What serves memory, in `ffi/native`; it needs no other part of the shim. */
export const MEMORY_FILES: readonly string[] = [
  "memory.c",
  "bind.c",
  "account.c",
  "functions.c",
  "heap.c",
  "magazine.c",
  "transfer.c",
  "owned.c",
  "platform/posix.c",
  "platform/windows.c",
  "platform/system-malloc.c",
  "platform/system-malloc-windows.c",
];

/** All source files of the shim, in `ffi/native`. What is not for a system is empty there. */
export const SHIM_FILES: readonly string[] = [
  SHIM_FILE,
  "background.c",
  "execute.c",
  "become.c",
  "deep-binding.c",
  "launched.c",
  "node-api.c",
  "agent/agent.c",
  "agent/allocators.c",
  "agent/answers.c",
  "agent/dumps.c",
  "agent/files.c",
  "agent/jemalloc.c",
  "agent/limits.c",
  "agent/pressure.c",
  "agent/purge.c",
  "agent/sampling.c",
  "agent/socket.c",
  "profile/backtrace.c",
  "profile/code-moment.c",
  "profile/engine-log.c",
  "profile/frame-entries.c",
  "profile/frame-instructions.c",
  "profile/frame-rules.c",
  "profile/frame-search.c",
  "profile/frame-tables.c",
  "profile/profiling.c",
  "profile/stack-memory.c",
  "serving/serving.c",
  "serving/allocators.c",
  "serving/elf.c",
  "serving/elf-controls.c",
  "serving/elf-operators.c",
  "serving/elf-symbols.c",
  "serving/macos.c",
  ...MEMORY_FILES,
];

const TABLES = [SHIM_SYMBOLS, MEMORY_SYMBOLS];

/**
 * Functions of the C library's that a preloaded shim interposes, see `background.c` and
 * `become.c`.
 */
const INTERPOSED: Readonly<Record<ObjectFormat, readonly string[]>> = {
  elf: [
    "pthread_create",
    "execl",
    "execle",
    "execlp",
    "execv",
    "execve",
    "execvp",
    "execvpe",
    "fexecve",
  ],
  macho: [],
  pe: [],
};

/** The same of glibc's alone, see `profile/engine-log.c` and `deep-binding.c`. */
const INTERPOSED_IN_GLIBC: readonly string[] = ["fopen", "fopen64", "dlopen"];

/** What Node looks for in an addon, see `node-api.c`. */
const ADDON_ENTRY = "napi_register_module_v1";

const SYSTEM_FLAGS: Readonly<Record<string, readonly string[]>> = {
  linux: ["-fPIC", "-fvisibility=hidden", "-pthread", "-ldl"],
  freebsd: ["-fPIC", "-fvisibility=hidden", "-pthread"],
  darwin: ["-fPIC", "-fvisibility=hidden"],
  win32: [],
};

/** How the shim is built. Its version is that of its binary interface. */
export const SHIM_RECIPE: Recipe = {
  name: "offheap",
  exports: (target) =>
    symbolNames(TABLES, [
      ADDON_ENTRY,
      ...INTERPOSED[objectFormat(target)],
      ...(target.platform === "linux" ? ["execveat"] : []),
      ...(target.libc === "glibc" ? INTERPOSED_IN_GLIBC : []),
    ]),
  space: 2 ** 20,
  tools: [],
  flags: (variant, target, cross) => [
    "-std=gnu11",
    "-O2",
    ...(variant === "debug" ? ["-g"] : cross ? ["-g0", "-s"] : []),
    "-Wall",
    "-Wextra",
    ...SYSTEM_FLAGS[target.platform] ?? [],
    ...LINK_FLAGS[objectFormat(target)],
  ],
  version(directory) {
    const text = readFileSync(join(directory, SHIM_FILE), "utf8");
    const match = /#define\s+(?:OFFHEAP_)?ABI_VERSION\s+(\d+)/.exec(text);
    if (match?.[1] === undefined) {
      throw new BuildError(`Cannot build the shim: ${SHIM_FILE} defines no ABI_VERSION.`);
    }
    return match[1];
  },
  async compile(build) {
    const format = objectFormat(build.target);
    await build.run([
      ...build.toolchain.compiler,
      "-shared",
      "-o",
      build.output,
      ...SHIM_FILES,
      ...SHIM_RECIPE.flags(build.variant, build.target, build.toolchain.cross !== null),
      ...nameFlags(format, build.output),
      ...writeExports(format, build.exports, dirname(build.output)),
    ]);
    return { features: [] };
  },
};
