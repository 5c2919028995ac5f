/**
 * How libraries are linked in each object format: their names, and what they export.
 *
 * @module
 */
import { writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { SymbolTable } from "../../../ffi/types.ts";
import type { Target } from "../../../lib/library/target.ts";

/** How a platform's libraries are laid out. */
export type ObjectFormat = "elf" | "macho" | "pe";

const FORMATS: Readonly<Record<string, ObjectFormat>> = { darwin: "macho", win32: "pe" };

/** The format of a target's libraries. */
export function objectFormat(target: Target): ObjectFormat {
  return FORMATS[target.platform] ?? "elf";
}

/** The symbols that a library exports: those that it must have, and those that it may have. */
export interface ExportNames {
  /** Missing ones fail the build. */
  readonly required: readonly string[];
  /** Exported where the source has them. */
  readonly optional: readonly string[];
}

/**
 * The names of symbol tables' rows.
 *
 * @param more Names that are required besides.
 */
export function symbolNames(
  tables: readonly SymbolTable[],
  more: readonly string[] = [],
): ExportNames {
  const rows = tables.flatMap((table) => Object.entries(table));
  const required = rows.filter(([, row]) => row.optional !== true).map(([name]) => name);
  return {
    required: [...new Set([...required, ...more])],
    optional: rows.filter(([, row]) => row.optional === true).map(([name]) => name),
  };
}

/**
 * Flags that all libraries of a format are linked with. Of ELF's: `-Bsymbolic` keeps two copies of
 * one allocator in a process from calling into each other; nodelete, since threads and exit
 * handlers outlive a close; now and relro, since a lazy binding inside malloc could call malloc.
 */
export const LINK_FLAGS: Readonly<Record<ObjectFormat, readonly string[]>> = {
  elf: [
    "-Wl,-Bsymbolic",
    "-Wl,-z,nodelete",
    "-Wl,-z,now",
    "-Wl,-z,relro",
    "-Wl,--as-needed",
  ],
  macho: [],
  pe: [],
};

/** The version script that exports these symbols and nothing else. */
export function versionScript({ required, optional }: ExportNames): string {
  const lines = [
    ...required,
    // A glob may match nothing; lld refuses an exact name that is not defined.
    ...optional.map((name) => `[${name.slice(0, 1)}]${name.slice(1)}`),
  ];
  return `{\n  global:\n${lines.map((line) => `    ${line};\n`).join("")}  local: *;\n};\n`;
}

/** A module definition file, which names the exports of a DLL. */
function definitionFile({ required }: ExportNames): string {
  return `EXPORTS\n${required.map((name) => `  ${name}\n`).join("")}`;
}

interface ExportFile {
  readonly name: string;
  readonly text: (names: ExportNames) => string;
  readonly flag: (path: string) => string;
}

/**
 * Zig's linker for Mach-O takes no list of exports: there the sources themselves mark them, see
 * {@linkcode exportingUnit}.
 */
const EXPORT_FILES: Readonly<Partial<Record<ObjectFormat, ExportFile>>> = {
  elf: {
    name: "exports.map",
    text: versionScript,
    flag: (path) => `-Wl,--version-script=${path}`,
  },
  pe: { name: "exports.def", text: definitionFile, flag: (path) => path },
};

/**
 * Writes the file by which a linker limits the exports.
 *
 * @param directory Where the file goes.
 * @param as The path by which the flag names it, where that has to be another one.
 * @returns The flags that name it; none for a format that has no such file.
 */
export function writeExports(
  format: ObjectFormat,
  names: ExportNames,
  directory: string,
  as: (path: string) => string = (path) => path,
): string[] {
  const file = EXPORT_FILES[format];
  if (file === undefined) return [];
  const path = join(directory, file.name);
  writeFileSync(path, file.text(names));
  return [file.flag(as(path))];
}

/** The flags that give a library its own name, by which others will ask for it. */
export function nameFlags(format: ObjectFormat, output: string): string[] {
  const name = basename(output);
  const flags: Readonly<Record<ObjectFormat, readonly string[]>> = {
    elf: [`-Wl,-soname,${name}`],
    // Without one the path of the build would be in the file.
    macho: [`-Wl,-install_name,@rpath/${name}`],
    pe: [],
  };
  return [...flags[format]];
}

/** What {@linkcode exportingUnit} puts together. */
export interface UnitParts {
  /** Lines before anything else. */
  readonly head: readonly string[];
  /** The headers that declare the exports, without any visibility. */
  readonly headers: readonly string[];
  /** Lines between the declarations and the source. */
  readonly body: readonly string[];
  /** The source that defines the exports. */
  readonly source: string;
}

/**
 * The text of a C file that compiles a source with exactly these symbols visible. A declaration
 * that is repeated with a visibility before the definition decides it.
 */
export function exportingUnit(format: ObjectFormat, names: ExportNames, parts: UnitParts): string {
  const visible = format === "macho"
    ? names.required.map((name) =>
      `extern __typeof__(${name}) ${name} __attribute__((visibility("default")));`
    )
    : [];
  return [
    ...parts.head,
    ...parts.headers.map((header) => `#include "${header}"`),
    ...visible,
    ...parts.body,
    `#include "${parts.source}"`,
    "",
  ].join("\n");
}
