/**
 * All open allocators of this thread, whatever copy of offheap they are of: what is in use by one
 * cannot be adopted by another.
 *
 * @module
 */
import type { Address } from "../../../ffi/types.ts";
import { BlockError } from "../../errors.ts";
import { hexadecimal } from "./inspection.ts";
import type { MemoryCalls } from "../../allocators/memory.ts";

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

/** Refuses an address that any allocator of this thread, or a transferred block, uses. */
export function requireUnused(action: string, address: Address, calls: MemoryCalls): void {
  const at = hexadecimal(address);
  for (const other of [...registry()].flatMap((reference) => reference.deref() ?? [])) {
    if (other.isIdle(address)) {
      throw new BlockError("freed", `Cannot ${action} at ${at}: a block there was freed here.`);
    }
    const user = other.userOf(address);
    if (user === null) continue;
    throw new BlockError("in use", `Cannot ${action} at ${at}: it is in use by ${user} here.`);
  }
  if (calls.offheap_ticket_at(address) === 0) return;
  throw new BlockError(
    "in use",
    `Cannot ${action} at ${at}: it is in use by a block that was transferred, and that nobody has ` +
      "claimed.",
  );
}
