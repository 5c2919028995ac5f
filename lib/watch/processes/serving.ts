/**
 * Who serves `malloc` in a process, by the files that are mapped and the order in which the dynamic
 * linker searches them: quick enough for every process of a machine. Where calls really lead is what
 * `doctor` looks at.
 *
 * @module
 */
import { findMapping, type Mapping, parseMaps } from "../../system/linux-maps.ts";
import { readability, withMemory } from "../doctor/facts.ts";
import { parseAuxiliary, readLinkMap } from "../doctor/linker-list.ts";
import { claimOf, searchOrder } from "../doctor/objects.ts";
import { findPreloaded, readPreload, systemPreloads } from "../doctor/preload.ts";
import { type ProcessSource, readStrings, readText } from "../doctor/process-source.ts";
import type { ExaminedAllocator } from "../doctor/types.ts";
import type { FileKnowledge, MappedFile, ProgramFacts } from "./files.ts";

/** Who serves `malloc` in a process with these mapped files, the program's among them. */
export function findServing(
  source: ProcessSource,
  executable: string,
  mappings: readonly Mapping[],
  program: ProgramFacts,
  knowledge: FileKnowledge,
): ExaminedAllocator {
  if (program.isStatic === true) return "static";
  const files = mappings.map((mapping) => knowledge.file(source.directory, mapping));
  const definers = files.filter(({ exports }) => exports.has("malloc"));
  const [first, ...others] = definers;
  if (first === undefined) return "unknown";
  const server = others.length === 0 ? first : firstOf(source, executable, files) ?? first;
  return claimOf(server)?.allocator ?? "unknown";
}

/** The first of several objects that define `malloc`. */
function firstOf(
  source: ProcessSource,
  executable: string,
  files: readonly MappedFile[],
): MappedFile | undefined {
  const { directory } = source;
  const own = files.find(({ path }) => path === executable);
  if (own === undefined) return undefined;
  const others = files.filter((file) => file !== own);
  const named = readPreload(readStrings(source, "environ"));
  // A program that writes its title over its environment leaves no LD_PRELOAD there: nginx, PostgreSQL.
  const linked = named.length === 0 ? linkedFiles(source, own, files) : [];
  const names = [...named, ...systemPreloads(directory)];
  const preloaded = names.flatMap((name) => findPreloaded(directory, name, others) ?? []);
  return [...linked, ...searchOrder(own, preloaded, others)]
    .find(({ exports }) => exports.has("malloc"));
}

/** The files in the order of the dynamic linker's list; none where that cannot be read. */
function linkedFiles(
  source: ProcessSource,
  { elf }: MappedFile,
  files: readonly MappedFile[],
): MappedFile[] {
  if (elf === null || readability(elf) !== null) return [];
  const auxiliary = parseAuxiliary(source.read("auxv"), elf.bits);
  return withMemory(source, (memory) => {
    if (typeof memory === "string") return [];
    const mappings = parseMaps(readText(source, "maps"));
    try {
      return readLinkMap(memory, auxiliary, new Map()).flatMap(({ dynamic }) => {
        const mapped = findMapping(mappings, dynamic)?.path;
        return files.find(({ path }) => path === mapped) ?? [];
      });
    } catch (error) {
      if (error instanceof RangeError) return [];
      throw error;
    }
  });
}
