/**
 * Who serves `malloc` in a process, by the files that are mapped and the order in which the dynamic
 * linker searches them: quick enough for every process of a machine. Where calls really lead is what
 * `doctor` looks at.
 *
 * @module
 */
import type { Mapping } from "../../system/linux-maps.ts";
import { claimOf, searchOrder } from "../doctor/objects.ts";
import { findPreloaded, readPreload, systemPreloads } from "../doctor/preload.ts";
import { type ProcessSource, readStrings } from "../doctor/process-source.ts";
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
  const names = [...readPreload(readStrings(source, "environ")), ...systemPreloads(directory)];
  const preloaded = names.flatMap((name) => findPreloaded(directory, name, others) ?? []);
  return searchOrder(own, preloaded, others).find(({ exports }) => exports.has("malloc"));
}
