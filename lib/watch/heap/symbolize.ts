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
import { chooseCode } from "./code-choice.ts";
import { javaScriptFrame, readCodeName } from "./code-names.ts";
import { demangle } from "./demangle.ts";
import { findCode } from "./perf-map.ts";
import { SourceMaps } from "./source-maps.ts";
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
  readonly codeMap: { readonly path: string; readonly bytes: number } | null;
}

/** The functions of some addresses. */
export interface Symbols {
  /** The frame of each address. */
  readonly frames: ReadonlyMap<number, HeapFrame>;
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

/** Code that no map names. */
const UNKNOWN = "(code without a name)";

/** A return address is of the instruction after the call, which may be another function's. */
function callAt(address: number): number {
  return address - 1;
}

/** Names addresses. */
export async function symbolize(
  addresses: Iterable<number>,
  space: AddressSpace,
): Promise<Symbols> {
  const frames = new Map<number, HeapFrame>();
  const mapped = new Map<Mapping, number[]>();
  const code: number[] = [];
  for (const address of new Set(addresses)) {
    const mapping = findMapping(space.mappings, callAt(address));
    if (mapping === undefined || mapping.path === null) code.push(address);
    else mapped.set(mapping, [...mapped.get(mapping) ?? [], address]);
  }
  const notes: string[] = [];
  const mappings = nameNative(mapped, space, frames, notes);
  await nameCode(code, space, frames, notes);
  return { frames, mappings, notes };
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

async function nameCode(
  addresses: readonly number[],
  { open, codeMap }: AddressSpace,
  frames: Map<number, HeapFrame>,
  notes: string[],
): Promise<void> {
  const found = codeMap === null
    ? new Map()
    : await findCode(codeMap.path, codeMap.bytes, addresses.map(callAt));
  const { names, doubtful } = chooseCode(found);
  const maps = new SourceMaps(open);
  for (const address of addresses) {
    const name = names.get(callAt(address));
    if (name === undefined) {
      const unknown = { name: UNKNOWN, file: null, line: 0, column: 0 };
      frames.set(address, { kind: "runtime", ...unknown, address });
      continue;
    }
    const frame = readCodeName(name);
    const { kind, file, line, column } = frame;
    if (kind !== "javascript" || file === null) {
      frames.set(address, { ...frame, address });
      continue;
    }
    const place = maps.find({ file, line, column });
    frames.set(address, {
      ...javaScriptFrame(frame.name, place.file, place.line, place.column),
      address,
    });
  }
  if (doubtful.size > 0) {
    notes.push(
      `The place of ${doubtful.size} of ${addresses.length} pieces of JavaScript's machine code was used ` +
        "again since it was sampled: they have the name of the latest.",
    );
  }
  for (const [file, why] of maps.faults) {
    notes.push(`The source map of ${file} cannot be read: ${why}.`);
  }
}
