/**
 * Reading the memory of a process on Linux, this one or another, in a way that cannot fault: the kernel
 * copies, and says so when there is nothing at an address.
 *
 * @module
 */
import { closeSync, openSync, readSync } from "node:fs";
import { withPermission } from "../../ffi/errors.ts";
import { type Address, NULL } from "../../ffi/types.ts";

/** The memory of a process, to be closed. */
export interface MemoryFile {
  /** Copies bytes out of it; `null` where they cannot be read. */
  read(address: number, length: number): Uint8Array<ArrayBuffer> | null;
  /** Ends the use of it. */
  close(): void;
}

/** What the kernel says of an address where nothing is mapped, or nothing that may be read. */
const UNREADABLE: readonly unknown[] = ["EIO", "EFAULT"];

/** Opens a `/proc/PID/mem`; errors of the file system come as they are. */
export function openMemoryFile(path: string): MemoryFile {
  const file = openSync(path, "r");
  return {
    read(address, length) {
      if (address <= NULL || !Number.isSafeInteger(address + length)) return null;
      const bytes = new Uint8Array(length);
      try {
        for (let done = 0; done < length;) {
          const count = readSync(file, bytes, done, length - done, address + done);
          if (count === 0) return null;
          done += count;
        }
        return bytes;
      } catch (error) {
        if (error instanceof Error && UNREADABLE.includes(Reflect.get(error, "code"))) return null;
        throw error;
      }
    },
    close: () => closeSync(file),
  };
}

const OWN_MEMORY = "/proc/self/mem";

/** The bytes at an address of this process; `null` where they cannot be read. */
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
  const { read, close } = withPermission(
    `read ${OWN_MEMORY}`,
    "--allow-all",
    () => openMemoryFile(OWN_MEMORY),
  );
  return {
    read(address, length) {
      const bytes = read(address, length);
      return bytes === null ? null : new DataView(bytes.buffer);
    },
    close,
  };
}
