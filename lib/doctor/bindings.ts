/**
 * Where calls of `malloc` lead in a running process: the slots that the dynamic linker filled, read
 * from the process's memory.
 *
 * @module
 */
import { findMapping, type Mapping } from "./maps.ts";
import type { LoadedObject } from "./objects.ts";
import type { ProcessMemory } from "./process-source.ts";

/** What a slot holds. */
export interface Binding {
  /** The object whose calls go through the slot. */
  readonly from: LoadedObject;
  /** The slot's kind. */
  readonly kind: string;
  /**
   * - `bound`: it leads to an object, or to memory of no object;
   * - `unbound`: it leads back into its own object, to be bound by the first call;
   * - `stub`: it leads to the stub in the program that stands for `malloc`;
   * - `unreadable`: it could not be read.
   */
  readonly state: "bound" | "unbound" | "stub" | "unreadable";
  /** The path of the object that it leads to, or a description of the memory. */
  readonly target: string;
}

/** Reads the slots for `malloc` of all objects; the first one is the program. */
export function readBindings(
  memory: ProcessMemory,
  mappings: readonly Mapping[],
  objects: readonly LoadedObject[],
): Binding[] {
  const bindings: Binding[] = [];
  for (const from of objects) {
    for (const { kind, address } of from.malloc?.slots ?? []) {
      const place = follow(memory, mappings, objects, from, address);
      bindings.push({ from, kind, ...place });
    }
  }
  return bindings;
}

function follow(
  memory: ProcessMemory,
  mappings: readonly Mapping[],
  objects: readonly LoadedObject[],
  from: LoadedObject,
  slot: number,
): Pick<Binding, "state" | "target"> {
  let pointer: number;
  try {
    pointer = memory.word((from.base ?? 0) + slot);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { state: "unreadable", target: error.message };
  }
  const path = findMapping(mappings, pointer)?.path ?? null;
  const target = path ?? `memory of no file at 0x${pointer.toString(16)}`;
  if (pointer === 0) return { state: "unbound", target };
  if (path === from.path && !isMalloc(from, pointer)) return { state: "unbound", target };
  const program = objects[0];
  const stub = program?.malloc?.stub ?? null;
  if (stub !== null && pointer === stub + (program?.base ?? 0)) return { state: "stub", target };
  return { state: "bound", target };
}

function isMalloc(object: LoadedObject, pointer: number): boolean {
  const symbol = object.exports.get("malloc");
  if (symbol === undefined) return false;
  return symbol.type === "indirect" || pointer === symbol.value + (object.base ?? 0);
}

/**
 * Whether an object keeps the address of another object's `malloc` in its data, as one does that
 * passes calls on. An allocator that serves memory itself has no use for it.
 *
 * @returns The path of that other object; `null` when none is kept.
 * @throws {RangeError} when the memory cannot be read.
 */
export function findForwarding(
  memory: ProcessMemory,
  mappings: readonly Mapping[],
  objects: readonly LoadedObject[],
  server: LoadedObject,
): string | null {
  const others = new Map<bigint, string>();
  for (const object of objects) {
    const symbol = object.exports.get("malloc");
    if (object === server || symbol === undefined) continue;
    others.set(BigInt(symbol.value + (object.base ?? 0)), object.path);
  }
  if (others.size === 0) return null;
  for (const { start, end } of dataOf(mappings, server)) {
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
 * memory behind it that is not the object's.
 */
function dataOf(
  mappings: readonly Mapping[],
  { base, malloc }: LoadedObject,
): { readonly start: number; readonly end: number }[] {
  const first = base ?? 0;
  const last = first + (malloc?.imageEnd ?? 0);
  return mappings
    .filter(({ start, permissions }) => start >= first && start < last && /^rw/.test(permissions))
    .map(({ start, end }) => ({ start, end: Math.min(end, Math.ceil(last / 8) * 8) }));
}
