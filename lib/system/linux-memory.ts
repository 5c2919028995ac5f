/**
 * Reading this process's memory on Linux in a way that cannot fault: the kernel copies, and says
 * so when there is nothing at an address.
 *
 * @module
 */
import { closeSync, openSync, readSync } from "node:fs";
import { withPermission } from "../../ffi/errors.ts";
import { type Address, NULL } from "../../ffi/types.ts";

const OWN_MEMORY = "/proc/self/mem";

/** What the kernel says of an address where nothing is mapped, or nothing that may be read. */
const UNREADABLE: readonly unknown[] = ["EIO", "EFAULT"];

/** The bytes at an address; `null` where they cannot be read. */
export type MemoryReader = (address: Address, length: number) => DataView | null;

/** This process's memory, to be closed. */
export interface OwnMemory {
  /** Copies bytes out of it. */
  readonly read: MemoryReader;
  /** Ends the use of it. */
  close(): void;
}

/**
 * Opens this process's memory.
 *
 * @throws {PermissionError} when the runtime does not permit to read it.
 */
export function openOwnMemory(): OwnMemory {
  const file = withPermission(
    `read ${OWN_MEMORY}`,
    "--allow-all",
    () => openSync(OWN_MEMORY, "r"),
  );
  return {
    read(address, length) {
      if (address <= NULL || !Number.isSafeInteger(address + length)) return null;
      const bytes = new Uint8Array(length);
      try {
        const count = readSync(file, bytes, 0, length, address);
        return count === length ? new DataView(bytes.buffer) : null;
      } catch (error) {
        if (error instanceof Error && UNREADABLE.includes(Reflect.get(error, "code"))) return null;
        throw error;
      }
    },
    close: () => closeSync(file),
  };
}
