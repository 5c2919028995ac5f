/**
 * What evidence is gathered with, beside the allocator: negative controls, and offheap's shim.
 *
 * @module
 */
import { LibraryLoadError } from "../errors.ts";
import { resolveLibrary } from "../library/resolve.ts";
import { system } from "../system/mod.ts";
import type { ControlAddress } from "../system/types.ts";

/** Runs `use` with addresses that every preloaded or loaded allocator must deny. */
export function withControls<R>(use: (controls: readonly ControlAddress[]) => R): R {
  const memory = system().holdControlMemory();
  try {
    return use([...system().controlAddresses(), ...memory.addresses]);
  } finally {
    memory.close();
  }
}

let shim: string | undefined;

/** The path of offheap's shim; `null` where it is not built: the evidence says what is missing. */
export function shimPath(): string | null {
  try {
    shim ??= resolveLibrary({ name: "offheap" }).path;
    return shim;
  } catch (error) {
    if (error instanceof LibraryLoadError) return null;
    throw error;
  }
}
