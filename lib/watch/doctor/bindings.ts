/**
 * Where calls of `malloc` lead in a running process: the slots that the dynamic linker filled, read
 * from the process's memory.
 *
 * @module
 */
import { findMapping, type Mapping } from "../../system/linux-maps.ts";
import type { LoadedObject } from "./objects.ts";
import type { ElfSlot } from "../../binary/elf-relocations.ts";
import type { OpenedMemory } from "./process-source.ts";

/** What a slot holds. */
export interface Binding {
  /** The function that it is for. */
  readonly symbol: string;
  /** The object whose calls go through the slot. */
  readonly from: LoadedObject;
  /** The slot's kind. */
  readonly kind: string;
  /**
   * - `bound`: it leads to an object, or to memory of no object;
   * - `unbound`: it leads back into its own object, to be bound by the first call;
   * - `stub`: it leads to the program's PLT stub for the function;
   * - `unreadable`: it could not be read.
   */
  readonly state: "bound" | "unbound" | "stub" | "unreadable";
  /** The path of the object that it leads to, or a description of the memory. */
  readonly leadsTo: string;
}

/** Reads the slots for `malloc` and its kin of all objects; the first one is the program. */
export function readBindings(
  memory: OpenedMemory,
  mappings: readonly Mapping[],
  objects: readonly LoadedObject[],
): Binding[] {
  const bindings: Binding[] = [];
  for (const from of objects) {
    for (const slot of from.imports?.slots ?? []) {
      const place = follow(memory, mappings, objects, from, slot);
      bindings.push({ symbol: slot.symbol, from, kind: slot.kind, ...place });
    }
  }
  return bindings;
}

function follow(
  memory: OpenedMemory,
  mappings: readonly Mapping[],
  objects: readonly LoadedObject[],
  from: LoadedObject,
  { symbol, address }: ElfSlot,
): Pick<Binding, "state" | "leadsTo"> {
  let pointer: number;
  try {
    pointer = memory.word((from.base ?? 0) + address);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { state: "unreadable", leadsTo: error.message };
  }
  const mapping = findMapping(mappings, pointer);
  const path = mapping?.path ?? null;
  const leadsTo = path ?? `memory of no file at 0x${pointer.toString(16)}`;
  // What the file has there, to which the dynamic linker adds where it has mapped the file.
  const isRaw = pointer === 0 || (mapping === undefined && pointer < (from.base ?? 0));
  if (isRaw) return { state: "unbound", leadsTo };
  if (path === from.path && !isDefinition(from, symbol, pointer)) {
    return { state: "unbound", leadsTo };
  }
  const program = objects[0];
  const stub = program?.imports?.stubs.get(symbol);
  if (stub !== undefined && pointer === stub + (program?.base ?? 0)) {
    return { state: "stub", leadsTo };
  }
  return { state: "bound", leadsTo };
}

function isDefinition(object: LoadedObject, name: string, pointer: number): boolean {
  const symbol = object.exports.get(name);
  if (symbol === undefined) return false;
  return symbol.type === "indirect" || pointer === symbol.value + (object.base ?? 0);
}

/**
 * Whether an object keeps the address of a `malloc` in its data that is neither its own nor the
 * server's, as one does that passes calls on. An allocator that serves memory itself has no use for
 * it.
 *
 * @returns The path of that other object; `null` when none is kept.
 * @throws {RangeError} when the memory cannot be read.
 */
export function findForwarding(
  memory: OpenedMemory,
  mappings: readonly Mapping[],
  objects: readonly LoadedObject[],
  keeper: LoadedObject,
  server: LoadedObject,
): string | null {
  const others = new Map<bigint, string>();
  for (const object of objects) {
    const symbol = object.exports.get("malloc");
    if (object === server || object === keeper || symbol === undefined) continue;
    others.set(BigInt(symbol.value + (object.base ?? 0)), object.path);
  }
  if (others.size === 0) return null;
  for (const { start, end } of dataOf(mappings, keeper)) {
    const bytes = memory.read(start, end - start);
    for (const word of new BigUint64Array(bytes.buffer)) {
      const path = others.get(word);
      if (path !== undefined) return path;
    }
  }
  return null;
}

/**
 * The memory of an object's data. The zeroed part has no file, and the kernel may have joined it to
 * memory after it that is not the object's.
 */
function dataOf(
  mappings: readonly Mapping[],
  { base, imports }: LoadedObject,
): { readonly start: number; readonly end: number }[] {
  const first = base ?? 0;
  const last = first + (imports?.imageEnd ?? 0);
  return mappings
    .filter(({ start, permissions }) => start >= first && start < last && /^rw/.test(permissions))
    .map(({ start, end }) => ({ start, end: Math.min(end, Math.ceil(last / 8) * 8) }));
}
