/**
 * What the files that processes have mapped are, each looked at once: hundreds of processes share a
 * few libraries.
 *
 * @module
 */
import { statSync } from "node:fs";
import { ElfError, type ElfFile, findElfExports, readElf } from "../../binary/elf.ts";
import { ALLOCATORS } from "../../allocators/mod.ts";
import type { Mapping } from "../../system/linux-maps.ts";
import { DEBUG_SYMBOLS } from "../doctor/linker-list.ts";
import { openable } from "../doctor/objects.ts";
import { type ProgramRuntime, runtimeOf } from "./runtime.ts";
import type { ServingFacts } from "./types.ts";

/** What a mapped program or library is. */
export interface MappedFile {
  /** Its path, as a process sees it. */
  readonly path: string;
  /** The name by which the dynamic linker loaded it, which is not known from outside. */
  readonly name: null;
  /** What its file is, needs and calls itself; `null` when it is no readable ELF file. */
  readonly elf: ElfFile | null;
  /** Those of the allocators' symbols, and of `malloc`, that it defines for others. */
  readonly exports: ReadonlySet<string>;
}

/** What a program's file is. */
export interface ProgramFacts {
  /** The runtime that it is; `null` for another program. */
  readonly runtime: ProgramRuntime | null;
  /** Whether it is statically linked; `null` for a file that is no readable ELF file. */
  readonly isStatic: boolean | null;
}

/** Looks at files, and remembers what they are. Errors of the file system come as they are. */
export interface FileKnowledge {
  /** What a mapped file is. */
  file(directory: string, mapping: Mapping): MappedFile;
  /** What the program of a process is, by the kernel's link to its file, which may be removed. */
  program(directory: string): ProgramFacts;
  /**
   * What is known of a process.
   *
   * @param key What distinguishes it from any other, and its program from those that it was before.
   * @param isSettled Whether it will stay so, and can be remembered.
   */
  serving(key: string, isSettled: boolean, find: () => ServingFacts): ServingFacts;
  /** Forgets the processes of which nobody has asked since the last time. */
  forgetEnded(): void;
}

const NAMES: readonly string[] = ["malloc", ...ALLOCATORS.flatMap(({ mark }) => mark.symbols)];

/** Starts without knowing any file. */
export function learnFiles(): FileKnowledge {
  const files = new Map<string, MappedFile>();
  const programs = new Map<string, ProgramFacts>();
  let processes = new Map<string, ServingFacts>();
  let asked = new Map<string, ServingFacts>();
  return {
    serving(key, isSettled, find) {
      const found = processes.get(key) ?? find();
      if (isSettled) asked.set(key, found);
      return found;
    },
    forgetEnded() {
      processes = asked;
      asked = new Map();
    },
    file(directory, mapping) {
      const path = mapping.path ?? "";
      return once(files, `${mapping.identity} ${path}`, () => {
        const unknown: MappedFile = { path, name: null, elf: null, exports: new Set() };
        const file = openable(directory, mapping);
        return file === null ? unknown : ifElf(() => {
          const exports = new Set(findElfExports(file, NAMES).map(({ name }) => name));
          return { path, name: null, elf: readElf(file), exports };
        }, unknown);
      });
    },
    program(directory) {
      const path = `${directory}/exe`;
      const { dev, ino } = statSync(path, { bigint: true });
      return once(programs, `${dev}:${ino}`, () => ifElf(() => lookAt(path), UNREADABLE));
    },
  };
}

const UNREADABLE: ProgramFacts = { runtime: null, isStatic: null };

function lookAt(path: string): ProgramFacts {
  // The dynamic linker has no interpreter, and is not static: started itself, it loads libraries.
  const isStatic = readElf(path).interpreter === null &&
    findElfExports(path, Object.keys(DEBUG_SYMBOLS)).length === 0;
  return { runtime: runtimeOf(path), isStatic };
}

/** What is known under a key, or found out now. */
function once<T>(known: Map<string, T>, key: string, find: () => T): T {
  const before = known.get(key);
  if (before !== undefined) return before;
  const found = find();
  known.set(key, found);
  return found;
}

/** Mapped files need not be programs or libraries: fonts and archives are mapped, too. */
function ifElf<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof ElfError) return otherwise;
    throw error;
  }
}
