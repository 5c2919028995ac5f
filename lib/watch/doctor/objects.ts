/**
 * The programs and libraries that are mapped into a process, in the order in which the dynamic
 * linker searches them.
 *
 * @module
 */
import { closeSync, openSync } from "node:fs";
import { basename } from "node:path";
import {
  ElfError,
  type ElfFile,
  type ElfSymbol,
  findElfExports,
  readElf,
} from "../../binary/elf.ts";
import { type ElfImports, readElfImports } from "../../binary/elf-relocations.ts";
import { LEFT_TO_LIBC, LIBC_SYMBOL, MALLOC_SYMBOLS, OPERATORS } from "../../../ffi/overrides.ts";
import type { NamedSource } from "../../binary/file-source.ts";
import { imageSource } from "./image-source.ts";
import type { OpenedMemory } from "./process-source.ts";
import { ALLOCATORS, type KnownAllocator } from "../../allocators/mod.ts";
import type { LinkEntry } from "../../system/link-map.ts";
import { findMapping, type Mapping } from "../../system/linux-maps.ts";

/** A mapped program or library. */
export interface LoadedObject {
  /** Its path, as the process sees it. */
  readonly path: string;
  /** Whether the file was removed or replaced since it was mapped. */
  readonly deleted: boolean;
  /** The name by which the dynamic linker loaded it; `null` when its list is not known. */
  readonly name: string | null;
  /** What is to be added to addresses of its file; `null` when that is not known. */
  readonly base: number | null;
  /** What its file says; `null` when it cannot be read. */
  readonly elf: ElfFile | null;
  /** Why the file, or its relocations, cannot be read; `null` when they can. */
  readonly fault: string | null;
  /** The symbols that it defines for others, of those that the examination goes by. */
  readonly exports: ReadonlyMap<string, ElfSymbol>;
  /** Where it keeps the addresses of `malloc` and its kin; `null` when that cannot be read. */
  readonly imports: ElfImports | null;
}

/** The objects, with where their order comes from. */
export interface ObjectList {
  /** In the order of the search. */
  readonly objects: readonly LoadedObject[];
  /** What the order was taken from, in words. */
  readonly order: string;
}

/** The objects of the dynamic linker's list. */
export function listLinked(
  directory: string,
  mappings: readonly Mapping[],
  entries: readonly LinkEntry[],
  memory: OpenedMemory,
): ObjectList {
  const objects: LoadedObject[] = [];
  for (const { base, name, dynamic } of entries) {
    const mapping = findMapping(mappings, dynamic);
    // The kernel's vDSO is no file.
    if (mapping === undefined || mapping.path === null) continue;
    objects.push(loadObject(directory, mapping, name, base, memory));
  }
  return { objects, order: "the dynamic linker's list" };
}

/**
 * The objects that the map shows, where the dynamic linker's list cannot be read: the program, what
 * is preloaded, then what these need, level by level, as the dynamic linker searches.
 *
 * @param preloadPosition At which position a preload names an object; -1 for the others.
 */
export function listMapped(
  directory: string,
  mappings: readonly Mapping[],
  executable: string,
  preloadPosition: (object: LoadedObject) => number,
): ObjectList {
  const files = new Map<string, Mapping>();
  for (const mapping of mappings) {
    if (mapping.path === null || !mapping.permissions.includes("x")) continue;
    if (!files.has(mapping.path)) files.set(mapping.path, mapping);
  }
  const waiting = [...files.values()]
    .map((mapping) => loadObject(directory, mapping, null, null))
    .sort((a, b) => Number(b.path === executable) - Number(a.path === executable));
  const [program, ...others] = waiting;
  if (program === undefined) return { objects: [], order: "the map" };
  const preloaded = others
    .filter((object) => preloadPosition(object) >= 0)
    .sort((a, b) => preloadPosition(a) - preloadPosition(b));
  const objects = searchOrder(program, preloaded, others);
  return { objects, order: "the order in which the files need each other" };
}

/** What the search for a symbol goes by. */
export type Searched = Pick<LoadedObject, "path" | "name"> & {
  readonly elf: Pick<ElfFile, "needed" | "soname"> | null;
};

/**
 * The order in which the dynamic linker searches: the program, what is preloaded, then what these
 * need, level by level. What nothing needs was opened later, and comes last.
 */
export function searchOrder<T extends Searched>(
  program: T,
  preloaded: readonly T[],
  others: readonly T[],
): T[] {
  const found = new Set([program, ...preloaded]);
  // A set is walked in order, and what is added meanwhile is walked, too.
  for (const object of found) {
    for (const needed of object.elf?.needed ?? []) {
      const match = others.find((other) => isNamed(other, needed));
      if (match !== undefined) found.add(match);
    }
  }
  return [...found, ...others.filter((other) => !found.has(other))];
}

/** Whether an object is what a name without a directory refers to. */
export function isNamed(object: Searched, name: string): boolean {
  return basename(object.path) === name || object.elf?.soname === name ||
    (object.name !== null && basename(object.name) === name);
}

/** An allocator that an object's symbols claim it to be, and the symbol by which they do. */
export interface ObjectClaim {
  /** The allocator. */
  readonly allocator: KnownAllocator;
  /** The symbol. */
  readonly symbol: string;
}

/** What an object claims to be by its name and its exports; `null` for no allocator that is known. */
export function claimOf(
  object: { readonly path: string; readonly exports: { has(name: string): boolean } },
): ObjectClaim | null {
  for (const { name, mark } of ALLOCATORS) {
    if (mark.file?.test(basename(object.path)) === false) continue;
    const symbol = mark.symbols.find((candidate) => object.exports.has(candidate));
    if (symbol !== undefined) return { allocator: name, symbol };
  }
  return null;
}

function loadObject(
  directory: string,
  mapping: Mapping,
  name: string | null,
  base: number | null,
  memory: OpenedMemory | null = null,
): LoadedObject {
  const path = mapping.path ?? "";
  const object = { path, deleted: mapping.deleted, name, base };
  const unread = { elf: null, exports: new Map<string, ElfSymbol>(), imports: null };
  const file = openable(directory, mapping) ?? imageOf(path, base, memory);
  if (file === null) {
    const fault = mapping.deleted
      ? "its file was removed or replaced since, and only root may read what is mapped"
      : "its file cannot be opened";
    return { ...object, ...unread, fault };
  }
  try {
    const elf = readElf(file);
    const exports = new Map(
      findElfExports(file, EXPORTS).map((symbol) => [symbol.name, symbol]),
    );
    return { ...object, elf, exports, ...readImports(file) };
  } catch (error) {
    if (!(error instanceof ElfError)) throw error;
    return { ...object, ...unread, fault: "its file is not a readable ELF file" };
  }
}

const NAMES: readonly string[] = [...MALLOC_SYMBOLS, ...OPERATORS];

/** Whose definitions are looked for. */
const EXPORTS: readonly string[] = [
  ...NAMES,
  ...LEFT_TO_LIBC,
  LIBC_SYMBOL,
  ...ALLOCATORS.flatMap(({ mark }) => mark.symbols),
];

/** What is mapped of a library whose file cannot be opened. */
function imageOf(
  name: string,
  base: number | null,
  memory: OpenedMemory | null,
): NamedSource | null {
  if (memory === null || base === null || base === 0) return null;
  try {
    return { name, source: imageSource(memory, base) };
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function readImports(file: string | NamedSource): Pick<LoadedObject, "imports" | "fault"> {
  try {
    return { imports: readElfImports(file, NAMES), fault: null };
  } catch (error) {
    if (!(error instanceof ElfError)) throw error;
    return { imports: null, fault: "its relocations are of a kind that offheap does not know" };
  }
}

/**
 * Where the mapped file can be opened: below the process's own root, for the case of a container;
 * by its path here, for a process that changed its root in this file system; or through the mapping
 * itself, which also has files that were removed, but is open to root only.
 */
export function openable(directory: string, mapping: Mapping): string | null {
  const path = mapping.path ?? "";
  const range = `${mapping.start.toString(16)}-${mapping.end.toString(16)}`;
  const mapped = `${directory}/map_files/${range}`;
  const candidates = mapping.deleted ? [mapped] : [`${directory}/root${path}`, path, mapped];
  return candidates.find(canOpen) ?? null;
}

function canOpen(path: string): boolean {
  try {
    closeSync(openSync(path, "r"));
    return true;
  } catch {
    return false;
  }
}
