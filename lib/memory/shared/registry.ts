/**
 * All open allocators of this thread, whatever copy of offheap they are of: what is in use by one
 * cannot be adopted by another.
 *
 * @module
 */
import type { Address } from "../../../ffi/types.ts";

/** What an allocator says of an address. Other versions of offheap read it: it must not change. */
export interface Registered {
  /** What there uses the memory at an address; `null` when nothing does. */
  userOf(address: Address): string | null;
  /** Whether the memory at an address was freed there, and is kept for the next block. */
  isIdle(address: Address): boolean;
}

/** The same in every copy of offheap. */
const PLACE: unique symbol = Symbol.for("offheap.allocators.1");

function registry(): Set<WeakRef<Registered>> {
  const found: unknown = Reflect.get(globalThis, PLACE);
  if (found instanceof Set) return found;
  const made = new Set<WeakRef<Registered>>();
  Object.defineProperty(globalThis, PLACE, { value: made });
  return made;
}

/** Adds an allocator; the reference is what takes it out. It is held weakly. */
export function register(allocator: Registered): WeakRef<Registered> {
  const all = registry();
  for (const reference of all) if (reference.deref() === undefined) all.delete(reference);
  const reference = new WeakRef(allocator);
  all.add(reference);
  return reference;
}

/** Takes an allocator out that was closed. */
export function unregister(reference: WeakRef<Registered>): void {
  registry().delete(reference);
}

/** All that are open. */
export function registered(): Registered[] {
  return [...registry()].flatMap((reference) => reference.deref() ?? []);
}
