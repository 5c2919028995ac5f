/**
 * What a library has to be by its file's format, each property one row.
 *
 * @module
 */
import { type ElfFile, readElf, readElfExports } from "../../../lib/binary/elf.ts";
import { type MachOFile, readMachO } from "../../../lib/binary/macho.ts";
import { type PeFile, readPe, readPeExports } from "../../../lib/binary/pe.ts";
import type { LibraryName, Variant } from "../../../lib/library/manifest.ts";
import type { Target } from "../../../lib/library/target.ts";
import { readElfVersions } from "./elf-versions.ts";
import { readMachOExports } from "./macho-exports.ts";
import { verifyMachOSignature } from "./macho-hashes.ts";
import type { ExportNames } from "../recipe/link.ts";

/** What is expected of a library. */
export interface Expectation extends ExportNames {
  /** The library. */
  readonly name: LibraryName;
  /** How it was built. */
  readonly variant: Variant;
  /**
   * The newest version of glibc that it may ask for, such as `2.17`; `null` when it was built on
   * the machine that it is for.
   */
  readonly glibcFloor: string | null;
  /** Libraries that it may need, besides those of the system; none when absent. */
  readonly needed?: readonly string[];
}

/** What a library's file shows. */
export interface Findings {
  /** The names that it exports, sorted. */
  readonly exports: readonly string[];
  /** The libraries that it needs. */
  readonly needed: readonly string[];
  /** What is wrong with it, each as a clause. */
  readonly problems: readonly string[];
}

/** A library's format. */
export interface LibraryFormat {
  /** Names that a linker exports of its own. */
  readonly linkerNames: readonly string[];
  /** Reads a file. */
  examine(path: string, target: Target, expectation: Expectation): Findings;
}

interface Subject<F> {
  readonly file: F;
  readonly target: Target;
  readonly expectation: Expectation;
}

interface Rule<F> {
  readonly holds: (subject: Subject<F>) => boolean;
  readonly clause: string;
}

const NOT_SHARED = "it is not a shared library";
const WRONG_ARCH = "it is for another processor";

const ELF_RULES: readonly Rule<ElfFile>[] = [
  { holds: ({ file }) => file.type === "shared", clause: NOT_SHARED },
  { holds: ({ file, target }) => file.arch === target.arch, clause: WRONG_ARCH },
  {
    // What is preloaded is there from the start, when there is space.
    holds: ({ file, expectation }) => !file.staticTls || expectation.variant === "preload",
    clause: "it uses static TLS, so opening it may fail",
  },
  { holds: ({ file }) => file.noDelete, clause: "it is not marked NODELETE" },
  { holds: ({ file }) => file.bindNow, clause: "its symbols are not bound when it is loaded" },
  { holds: ({ file }) => file.symbolic, clause: "it is not linked with -Bsymbolic" },
];

const MACHO_RULES: readonly Rule<MachOFile>[] = [
  { holds: ({ file }) => file.type === "dylib", clause: NOT_SHARED },
  { holds: ({ file, target }) => file.arch === target.arch, clause: WRONG_ARCH },
  { holds: ({ file }) => file.slices.length === 1, clause: "it is for several processors" },
  { holds: ({ file }) => file.minimum?.platform === "macos", clause: "it is not for macOS" },
  {
    holds: ({ file }) => !file.installName?.startsWith("/"),
    clause: "its install name is a path of the machine that built it",
  },
  {
    // Loading it would change the whole process; that is what the variant "preload" is for.
    holds: ({ file, expectation }) => !file.interposes || expectation.variant === "preload",
    clause: "it interposes functions",
  },
  {
    // arm64 loads nothing that is not signed.
    holds: ({ file }) => file.signature !== null || file.arch !== "arm64",
    clause: "it has no code signature",
  },
  {
    holds: ({ file }) => file.signature?.adHoc ?? true,
    clause: "its code signature is not ad hoc",
  },
];

const PE_RULES: readonly Rule<PeFile>[] = [
  { holds: ({ file }) => file.type === "library", clause: NOT_SHARED },
  { holds: ({ file, target }) => file.arch === target.arch, clause: WRONG_ARCH },
  { holds: ({ file }) => file.dynamicBase, clause: "it has to be loaded at one address" },
  { holds: ({ file }) => file.highEntropy, clause: "it has to be loaded below 4 GiB" },
  { holds: ({ file }) => file.noExecute, clause: "its data may be executed" },
  { holds: ({ file }) => file.reproducible, clause: "it has the time of its build in it" },
];

const ELF: LibraryFormat = {
  linkerNames: [],
  examine(path, target, expectation) {
    const file = readElf(path);
    return {
      exports: readElfExports(path).map(({ name }) => name),
      needed: file.needed,
      problems: [
        ...broken(ELF_RULES, { file, target, expectation }),
        ...newerThan(path, expectation.glibcFloor),
      ],
    };
  },
};

/** The formats by platform. */
export const FORMATS: Readonly<Record<string, LibraryFormat>> = {
  linux: ELF,
  freebsd: ELF,
  darwin: {
    // zig's linker has no list of exports, and adds its own marks to them.
    linkerNames: ["_mh_dylib_header", "__dso_handle"],
    examine(path, target, expectation) {
      const file = readMachO(path);
      return {
        exports: readMachOExports(path).map(({ name }) => name),
        needed: file.needed.map(({ name }) => name),
        problems: [
          ...broken(MACHO_RULES, { file, target, expectation }),
          ...(file.signature === null ? [] : verifyMachOSignature(path)),
        ],
      };
    },
  },
  win32: {
    linkerNames: [],
    examine(path, target, expectation) {
      const file = readPe(path);
      return {
        exports: readPeExports(path).map(({ name }) => name),
        needed: [...file.needed, ...file.delayed],
        problems: broken(PE_RULES, { file, target, expectation }),
      };
    },
  },
};

function broken<F>(rules: readonly Rule<F>[], subject: Subject<F>): string[] {
  return rules.filter((rule) => !rule.holds(subject)).map((rule) => rule.clause);
}

/** The versions of glibc above a floor; those that are no numbers (GLIBC_PRIVATE) always are. */
function newerThan(path: string, floor: string | null): string[] {
  if (floor === null) return [];
  return readElfVersions(path)
    .filter(({ version }) => {
      const glibc = /^GLIBC_(.*)$/.exec(version)?.[1];
      return glibc !== undefined && !isAtMost(glibc, floor);
    })
    .map(({ library, version }) => `it needs ${version} of ${library}, above ${floor}`);
}

function isAtMost(version: string, floor: string): boolean {
  const parts = version.split(".").map(Number);
  const most = floor.split(".").map(Number);
  // What is no number differs from every part, and is not less.
  const at = parts.findIndex((part, index) => part !== (most[index] ?? 0));
  return at < 0 || (parts[at] ?? 0) < (most[at] ?? 0);
}
