/**
 * Reading everything about a process that the evidence is drawn from.
 *
 * @module
 */
import { findElfExports } from "../../binary/elf.ts";
import { DoctorError, OffheapError } from "../../errors.ts";
import { withOpened } from "../../run/checked-file.ts";
import { ELF } from "../../run/elf.ts";
import type { ProgramFile } from "../../run/types.ts";
import { type Binding, readBindings } from "./bindings.ts";
import { AUXILIARY, DEBUG_SYMBOLS, parseAuxiliary, readLinkMap } from "./linker-list.ts";
import { type Mapping, parseMaps } from "../../system/linux-maps.ts";
import { listLinked, listMapped, type LoadedObject, type ObjectList } from "./objects.ts";
import { findPreloaded, readPreload } from "./preload.ts";
import { type OpenedMemory, type ProcessSource, readStrings, readText } from "./process-source.ts";

/** What was read of a process. */
export interface Facts extends ObjectList {
  /** `/proc/PID`. */
  readonly directory: string;
  /** The path of its program. */
  readonly executable: string;
  /** Its arguments, the program's name first. */
  readonly command: readonly string[];
  /** Its state; `undefined` when the kernel does not say. */
  readonly state: string | undefined;
  /** What `LD_PRELOAD` names, in order. */
  readonly preload: readonly string[];
  /** The program's file. */
  readonly program: ProgramFile;
  /** Whether it is statically linked. */
  readonly isStatic: boolean;
  /** Whether it runs in secure-execution mode. */
  readonly secure: boolean;
  /** Its map. */
  readonly mappings: readonly Mapping[];
  /** Its memory, and where calls of `malloc` lead; a sentence on why that cannot be read. */
  readonly calls: Calls | string;
}

/** What the memory of a process shows. */
export interface Calls {
  /** The memory. */
  readonly memory: OpenedMemory;
  /** Where calls lead. */
  readonly bindings: readonly Binding[];
}

const READABLE_ARCHES: readonly string[] = ["x64", "arm64"];

/**
 * Reads a process.
 *
 * @param memory Its memory; a sentence on why that cannot be read.
 * @throws {DoctorError} when it ends meanwhile, is no program, or this user may not examine it.
 */
export function gatherFacts(source: ProcessSource, memory: OpenedMemory | string): Facts {
  const { directory } = source;
  const state = checkState(source);
  const executable = findExecutable(source);
  const preload = readPreload(readStrings(source, "environ"));
  const mappings = parseMaps(readText(source, "maps"));
  const program = withOpened(
    executable,
    `${directory}/exe`,
    // The auxiliary vector says what came of capabilities.
    (opened) => ELF.readProgram(executable, opened, { fileCapabilities: () => false }),
  );
  const exported = exportedDebug(directory, program);
  const auxiliary = parseAuxiliary(source.read("auxv"), program.bits);
  const position = (object: LoadedObject): number =>
    preload.findIndex((name) => findPreloaded(directory, name, [object]) !== undefined);
  const facts = {
    directory,
    executable,
    command: readStrings(source, "cmdline"),
    state,
    preload,
    program,
    isStatic: program.interpreter === null && exported.size === 0,
    secure: (auxiliary.get(AUXILIARY.secure) ?? 0) !== 0,
    mappings,
  };
  const readable = facts.isStatic ? "the program is statically linked" : readability(program);
  const fault = typeof memory === "string" ? memory : readable;
  if (typeof memory === "string" || fault !== null) {
    const list = listMapped(directory, mappings, executable, position);
    return { ...facts, ...list, calls: fault ?? "" };
  }
  try {
    const list = listLinked(directory, mappings, readLinkMap(memory, auxiliary, exported), memory);
    const bindings = readBindings(memory, mappings, list.objects);
    return { ...facts, ...list, calls: { memory, bindings } };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const list = listMapped(directory, mappings, executable, position);
    return { ...facts, ...list, calls: error.message };
  }
}

/**
 * Runs something with a process's memory, or with a sentence on why it cannot be read, and closes
 * the memory.
 */
export function withMemory<R>(
  source: ProcessSource,
  use: (memory: OpenedMemory | string) => R,
): R {
  let memory: OpenedMemory;
  try {
    memory = source.openMemory();
  } catch (error) {
    if (!(error instanceof OffheapError)) throw error;
    return use(error.message);
  }
  try {
    return use(memory);
  } finally {
    memory.close();
  }
}

function checkState(source: ProcessSource): string | undefined {
  const state = /^State:\s*(.+)$/m.exec(readText(source, "status"))?.[1];
  if (state === undefined || !/^[ZX]/.test(state)) return state;
  throw new DoctorError(
    `Cannot examine process ${source.pid}: it has ended, and waits for its parent to read its status (a zombie). ` +
      "Give the process ID of a running one.",
  );
}

/**
 * The path of the program. A process that is ending has none, and that before its memory goes.
 *
 * @throws {DoctorError} when there is none.
 */
export function findExecutable(source: ProcessSource): string {
  const executable = source.executable();
  if (executable !== null) return executable;
  throw new DoctorError(
    `Cannot examine process ${source.pid}: it has no program, as a thread of the kernel or a ` +
      "process that just ended. Give the process ID of a running program.",
  );
}

/** Where the program exports the dynamic linker's list, if it is the dynamic linker. */
function exportedDebug(directory: string, program: ProgramFile): Map<string, number> {
  if (program.interpreter !== null) return new Map();
  const exports = findElfExports(`${directory}/exe`, Object.keys(DEBUG_SYMBOLS));
  return new Map(exports.map(({ name, value }) => [name, value]));
}

/** Why slots cannot be read in a program of this kind; `null` when they can. */
export function readability(
  { arch, bits, littleEndian }: Pick<ProgramFile, "arch" | "bits" | "littleEndian">,
): string | null {
  return READABLE_ARCHES.includes(arch) && bits === 64 && littleEndian
    ? null
    : `offheap reads them in 64-bit programs for ${READABLE_ARCHES.join(" and ")} only, and this ` +
      `is a ${bits}-bit program for ${arch}`;
}
