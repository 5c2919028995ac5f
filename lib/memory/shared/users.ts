/**
 * Who uses an address: what is in use by one allocator cannot be adopted by another.
 *
 * @module
 */
import type { Address } from "../../../ffi/types.ts";
import { BlockError } from "../../errors.ts";
import type { MemoryCalls } from "./native.ts";
import type { Owners } from "./owners.ts";
import { type Registered, registered } from "./registry.ts";
import type { Store } from "../blocks/store.ts";

/** An address as messages show it. */
export function hexadecimal(address: Address): string {
  return `0x${address.toString(16)}`;
}

/** Refuses an address that any allocator of this thread, or a transferred block, uses. */
export function requireUnused(action: string, address: Address, calls: MemoryCalls): void {
  const at = hexadecimal(address);
  for (const other of registered()) {
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

/** What other allocators of this thread may ask; the store keeps it as long as blocks live. */
export function answersOf(store: Store, owners: Owners): Registered {
  return {
    userOf(address) {
      const known = store.find(address);
      if (known !== null) return `a block of ${known.size} bytes`;
      return owners.contains(address) ? "a heap or an arena" : null;
    },
    isIdle: (address) => store.isIdle(address),
  };
}
