/**
 * When macOS's dynamic linker would not insert an allocator into a program, each reason one row.
 * It says nothing when it drops DYLD_INSERT_LIBRARIES: the program would run without the allocator
 * and without offheap's check inside it.
 *
 * @module
 */
import { IDENTITY_RULES } from "./identity-rules.ts";
import type { LaunchRule, PreloadLibrary, ProgramFile } from "./types.ts";

/** Where System Integrity Protection keeps what belongs to the system. */
const PROTECTED: readonly string[] = ["/bin/", "/sbin/", "/usr/", "/System/"];
/** What it leaves to the user there. */
const UNPROTECTED = "/usr/local/";

const DROPPED = "so dyld drops DYLD_INSERT_LIBRARIES";

/** The program's own place, when System Integrity Protection covers it. */
function protectedPlace({ dyld }: ProgramFile): string | null {
  const path = dyld?.realPath ?? "";
  if (path.startsWith(UNPROTECTED)) return null;
  return PROTECTED.find((place) => path.startsWith(place)) ?? null;
}

/** Whether a library has a part for the processor that the program runs on. */
function fits({ arch, dyld }: ProgramFile, library: PreloadLibrary): boolean {
  const slices = library.dyld?.slices ?? [];
  return dyld?.cpu === "arm64e"
    ? slices.some(({ cpu }) => cpu === "arm64e")
    : slices.some((slice) => slice.arch === arch);
}

/** The rules, in the order in which they are asked; the first that refuses is shown. */
export const MACH_O_RULES: readonly LaunchRule[] = [
  {
    name: "system-integrity",
    about: "program",
    status: 125,
    refusal: ({ program, called }) => {
      const place = protectedPlace(program);
      return place === null
        ? null
        : `${called} is in "${place}" ("${program.dyld?.realPath}"), which System Integrity ` +
          `Protection covers, ${DROPPED}. Use a build from elsewhere, such as Homebrew's, or ` +
          "name the program itself instead of a shell that starts it.";
    },
  },
  {
    name: "platform-binary",
    about: "program",
    status: 125,
    refusal: ({ program, called }) =>
      program.dyld?.platformBinary === true
        ? `${called} is signed as a part of macOS, ${DROPPED}. Use a build from elsewhere, such as ` +
          "Homebrew's."
        : null,
  },
  {
    name: "restricted",
    about: "program",
    status: 125,
    refusal: ({ program, called }) =>
      program.dyld?.restricted === true
        ? `${called} is marked as restricted (a segment __RESTRICT, or its signature), ${DROPPED}. ` +
          "Use a build without that mark."
        : null,
  },
  {
    name: "hardened-runtime",
    about: "program",
    status: 125,
    refusal: ({ program, called }) =>
      program.dyld?.hardenedRuntime === true && !program.dyld.allowsDyldVariables
        ? `${called} is signed with the hardened runtime and without the entitlement ` +
          `com.apple.security.cs.allow-dyld-environment-variables, ${DROPPED}. Use a build that ` +
          "has it, or re-sign a copy (codesign --force --sign - FILE)."
        : null,
  },
  ...IDENTITY_RULES,
  {
    name: "library-validation",
    about: "library",
    status: 125,
    refusal: ({ program, called, library }) => {
      if (program.dyld?.libraryValidation !== true) return null;
      const team = library.dyld?.team ?? null;
      if (team !== null && team === program.dyld.team) return null;
      return `${called} is signed to load libraries of its own team only (library validation, ` +
        "without the entitlement com.apple.security.cs.disable-library-validation), and " +
        `"${library.path}" is ${team === null ? "signed by nobody" : `of team ${team}`}. ` +
        "Use a build that has it, or re-sign a copy (codesign --force --sign - FILE).";
    },
  },
  {
    name: "machine",
    about: "library",
    status: 125,
    refusal: ({ program, called, library }) => {
      if (fits(program, library)) return null;
      const cpu = program.dyld?.cpu ?? program.arch;
      const has = library.dyld?.slices.map((slice) => slice.cpu).join(", ");
      return `${called} runs as ${cpu}, and "${library.path}" is for ${has}. ` +
        `Build the library for darwin-${program.arch}.`;
    },
  },
];
