/**
 * From the addresses on stacks to functions.
 *
 * @module
 */
import { basename } from "node:path";
import { ElfError } from "../../binary/elf.ts";
import { findFunctions } from "../../binary/elf-functions.ts";
import { KNOWN_ALLOCATORS } from "../../allocators/mod.ts";
import { errorCode } from "../../system/files.ts";
import { findMapping, type Mapping } from "../../system/linux-maps.ts";
import type { CodeMap } from "./code-map.ts";
import { callAt, CodeNamer } from "./code-namer.ts";
import { demangle } from "./demangle.ts";
import type { HeapFrame, HeapMapping } from "./types.ts";

/** What is needed of a process to name its addresses. */
export interface AddressSpace {
  /** What is mapped. */
  readonly mappings: readonly Mapping[];
  /** The path by which this process opens a file of the other one. */
  readonly open: (path: string) => string;
  /** The path of its program, where that is a JavaScript runtime, whose functions nobody looks for. */
  readonly runtime: string | null;
  /** The map of its code, and how much of that there was; `null` where it writes none. */
  readonly codeMap: CodeMap | null;
  /** Where the runtime keeps what it has made of TypeScript; `null` where lines stay as they are. */
  readonly compiled: string | null;
}

/** Return addresses, and how far the map of the code was written when they were taken. */
export interface AddressStack {
  /** The innermost first. */
  readonly addresses: readonly number[];
  /** In bytes; `null` where that is not known. */
  readonly mark: number | null;
}

/** The functions of some stacks. */
export interface Symbols {
  /** The frames of each stack; the same function at the same address is the same object. */
  readonly stacks: readonly (readonly HeapFrame[])[];
  /** The files that addresses are in. */
  readonly mappings: readonly HeapMapping[];
  /** What could not be read. */
  readonly notes: readonly string[];
}

/** Libraries that programs do not bring: the C library's, the compiler's, allocators and the shim. */
const SYSTEM_LIBRARY = new RegExp(
  `^(?:ld-|linux-vdso|lib(?:c|m|pthread|dl|rt|gcc_s|stdc\\+\\+|atomic|offheap|${
    KNOWN_ALLOCATORS.join("|")
  })(?:[-_.\\d]|$))`,
);

/** Names the addresses of stacks. */
export async function symbolize(
  stacks: readonly AddressStack[],
  space: AddressSpace,
): Promise<Symbols> {
  const frames = new Map<number, HeapFrame>();
  const mapped = new Map<Mapping, number[]>();
  const code: number[] = [];
  for (const address of new Set(stacks.flatMap(({ addresses }) => addresses))) {
    const mapping = findMapping(space.mappings, callAt(address));
    if (mapping === undefined || mapping.path === null) code.push(address);
    else mapped.set(mapping, [...mapped.get(mapping) ?? [], address]);
  }
  const notes: string[] = [];
  const mappings = nameNative(mapped, space, frames, notes);
  const namer = await CodeNamer.open(code, space);
  const named = stacks.map(({ addresses, mark }) =>
    addresses.map((address) => frames.get(address) ?? namer.frameOf(address, mark))
  );
  return { stacks: named, mappings, notes: [...notes, ...namer.notes()] };
}

function nameNative(
  mapped: ReadonlyMap<Mapping, readonly number[]>,
  { open, runtime }: AddressSpace,
  frames: Map<number, HeapFrame>,
  notes: string[],
): HeapMapping[] {
  return [...mapped].map(([mapping, addresses]) => {
    const path = mapping.path ?? "";
    const offsets = addresses.map((address) => callAt(address) - mapping.start + mapping.offset);
    const isRuntime = path === runtime || SYSTEM_LIBRARY.test(basename(path));
    const { buildId, names } = functionsOf(open(path), mapping, offsets, path === runtime, notes);
    addresses.forEach((address, index) => {
      const unnamed = `${basename(path)}+0x${(offsets[index] ?? 0).toString(16)}`;
      frames.set(address, {
        kind: isRuntime ? "runtime" : "native",
        name: demangle(names[index] ?? unnamed),
        file: path,
        line: 0,
        column: 0,
        address,
      });
    });
    const { start, end, offset } = mapping;
    return { start, end, offset, path, buildId };
  });
}

function functionsOf(
  file: string,
  { path, deleted }: Mapping,
  offsets: readonly number[],
  isProgram: boolean,
  notes: string[],
): ReturnType<typeof findFunctions> {
  const unread = (why: string): ReturnType<typeof findFunctions> => {
    notes.push(`The functions of ${path} have no names: ${why}.`);
    return { buildId: null, names: offsets.map(() => null) };
  };
  // The program's is opened by the kernel's link, which leads to the one that runs.
  if (deleted && !isProgram) return unread("its file was removed or replaced since it was loaded");
  try {
    return findFunctions(file, offsets);
  } catch (error) {
    if (error instanceof ElfError) return unread("it is no readable ELF file");
    if (errorCode(error) === "") throw error;
    return unread(`its file cannot be read (${errorCode(error)})`);
  }
}
