/**
 * When an ELF program cannot be run under a preloaded allocator, each reason one row.
 *
 * @module
 */
import { IDENTITY_RULES, SECURE, startAfter } from "./identity-rules.ts";
import type { LaunchRule, PreloadLibrary, ProgramFile } from "./types.ts";

/** The rules, in the order in which they are asked; the first that refuses is shown. */
export const ELF_RULES: readonly LaunchRule[] = [
  {
    name: "static",
    about: "program",
    status: 125,
    refusal: ({ program, called }) =>
      program.interpreter === null
        ? `${called} is statically linked, and no allocator can be preloaded into it. ` +
          "Use a dynamically linked build of it" + startAfter(program)
        : null,
  },
  ...IDENTITY_RULES,
  {
    name: "file-capabilities",
    about: "program",
    status: 125,
    refusal: ({ program, called, identity }) =>
      program.fileCapabilities && identity.uid !== 0
        ? `${called} carries file capabilities, ${SECURE}. ` +
          "Remove them (setcap -r) and grant them another way, such as ambient capabilities."
        : null,
  },
  {
    name: "sanitizer",
    about: "program",
    status: 125,
    refusal: ({ program, called }) =>
      program.sanitizer === undefined
        ? null
        : `${called} was built with -fsanitize=${program.sanitizer}, whose malloc has to serve it. ` +
          "Run it without offheap, or build it without the sanitizer.",
  },
  {
    name: "word-size",
    about: "library",
    status: 125,
    refusal: ({ program, called, library }) =>
      library.bits === program.bits
        ? null
        : `${called} is a ${program.bits}-bit program, and "${library.path}" is a ` +
          `${library.bits}-bit library. Build the library for ${machineAndLibc(program)}.`,
  },
  {
    name: "machine",
    about: "library",
    status: 125,
    refusal: ({ program, called, library }) =>
      machine(library) === machine(program)
        ? null
        : `${called} is made for ${machine(program)}, and "${library.path}" for ` +
          `${machine(library)}. Build the library for ${machineAndLibc(program)}.`,
  },
  {
    name: "libc",
    about: "library",
    status: 125,
    refusal: ({ program, called, library }) =>
      library.libc === null || program.libc === null ||
        library.libc === program.libc
        ? null
        : `${called} is made for ${program.libc} (${program.interpreter}), and ` +
          `"${library.path}" for ${library.libc}. Build the library for ${
            machineAndLibc(program)
          }.`,
  },
  {
    name: "interpreter",
    about: "program",
    status: 127,
    refusal: ({ program, called }) =>
      program.interpreterExists
        ? null
        : `${called} asks for the dynamic linker "${program.interpreter}", which does not exist ` +
          "here. Install that C library, or use a build of the program for this system.",
  },
];

function machine(binary: ProgramFile | PreloadLibrary): string {
  return binary.littleEndian ? binary.arch : `${binary.arch} (big-endian)`;
}

function machineAndLibc(program: ProgramFile): string {
  return program.libc === null ? machine(program) : `${machine(program)} and ${program.libc}`;
}
