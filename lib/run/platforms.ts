/**
 * What launching has to know of an operating system, one row each; and why there is no way where
 * there is no row.
 *
 * @module
 */
import process from "node:process";
import { LaunchError } from "../errors.ts";
import type { Variant } from "../library/manifest.ts";
import { PRELOAD_VARIABLES } from "../system/preload.ts";

/** A format of programs and libraries. */
export type ProgramFormat = "elf" | "macho";

/** How a system puts a library in front of a program's C library, and what follows from that. */
export interface LaunchPlatform {
  /** The dynamic linker's variable. */
  readonly preloadVariable: string;
  /** What separates its entries; it knows no quoting. */
  readonly separators: RegExp;
  /** What it cannot hold as it is: the separators, and what the linker would expand. */
  readonly unfit: RegExp;
  /** The same in words. */
  readonly unfitNames: string;
  /** The format of its programs. */
  readonly format: ProgramFormat;
  /** The variant of an allocator's library that serves `malloc` when it is preloaded. */
  readonly variant: Variant;
  /** The same with guards against misuse of memory; else a sentence on why there is no such build. */
  readonly secure: { readonly variant: Variant } | { readonly refusal: string };
  /**
   * Whether `env` in a `#!` line passes the variable on. Where it does not, offheap executes what
   * `env` would.
   */
  readonly envKeepsPreload: boolean;
  /** Whether a `#!` line may give several arguments; else all of them are one. */
  readonly splitsShebang: boolean;
  /** Whether offheap has an agent for programs of the system. */
  readonly hasAgent: boolean;
}

/** ELF systems: `ld.so(8)`. */
const ELF_PLATFORM: LaunchPlatform = {
  preloadVariable: PRELOAD_VARIABLES.linux,
  separators: /[\s:]/,
  // "$LIB", "$ORIGIN" and "$PLATFORM", in braces or not, are replaced.
  unfit: /[\s:$]/,
  unfitNames: "spaces, colons or dollar signs",
  format: "elf",
  variant: "preload",
  secure: { variant: "secure" },
  envKeepsPreload: true,
  splitsShebang: false,
  hasAgent: false,
};

/** Each system with a way to preload. */
export const LAUNCH_PLATFORMS: Readonly<Partial<Record<string, LaunchPlatform>>> = {
  linux: { ...ELF_PLATFORM, hasAgent: true },
  android: ELF_PLATFORM,
  freebsd: ELF_PLATFORM,
  // dyld(1). What is in /usr/bin runs without any DYLD variable, and passes none on.
  darwin: {
    preloadVariable: PRELOAD_VARIABLES.darwin,
    separators: /:/,
    unfit: /:/,
    unfitNames: "colons",
    format: "macho",
    variant: "preload",
    secure: {
      refusal: "on macOS an allocator takes over a process by a build of its own, and there is " +
        'none with guards. Use openAllocator({ variant: "secure" }) for native blocks, or run ' +
        "the program in a Linux container",
    },
    envKeepsPreload: false,
    splitsShebang: true,
    hasAgent: false,
  },
};

/** Why a system has no row, where there is more to say than that. */
const NO_PRELOAD: Readonly<Partial<Record<string, string>>> = {
  win32: "Windows has no preload: its loader offers no way to put a library in front of a " +
    "program's C runtime, and Deno, Bun and Node have theirs linked in. Use openAllocator() for " +
    "native blocks; for a whole process, run it in WSL or in a Linux container",
};

/**
 * The row of a system.
 *
 * @param action What is to be done, as it completes the sentence "Cannot …".
 * @throws {LaunchError} status 125 where there is none, with the reason.
 */
export function launchPlatform(
  action = "run a command under another allocator",
  platform: string = process.platform,
): LaunchPlatform {
  const row = LAUNCH_PLATFORMS[platform];
  if (row !== undefined) return row;
  const why = NO_PRELOAD[platform] ??
    `offheap can preload on ${Object.keys(LAUNCH_PLATFORMS).join(", ")}, not on "${platform}"`;
  throw new LaunchError(`Cannot ${action}: ${why}.`);
}
