/**
 * Buffers over native memory: how they begin, and how they end.
 *
 * @module
 */
import { isPermissionRefusal } from "../../../ffi/errors.ts";
import { ffi } from "../../../ffi/mod.ts";
import type { Address } from "../../../ffi/types.ts";

/** `transfer` of the language, whatever a program has made of a buffer's own. */
const transfer = ArrayBuffer.prototype.transfer;

/** Detaches a buffer: every view of it has length 0 from then on. */
export function detach(buffer: ArrayBuffer): void {
  transfer.call(buffer, 0);
}

/** Whether a buffer was detached: what it had has ended, or is elsewhere. */
export function isDetached(buffer: ArrayBufferLike): boolean {
  return "detached" in buffer && buffer.detached;
}

/**
 * A buffer over native memory; of its own kind for an empty one, which runtimes cannot wrap.
 *
 * @throws {RangeError} when this runtime's buffers cannot be so large.
 */
export function wrapBytes(address: Address, size: number): ArrayBuffer {
  if (size === 0) return new ArrayBuffer(0);
  try {
    return ffi().wrap(address, size);
  } catch (error) {
    if (isPermissionRefusal(error)) throw error;
    throw new RangeError(
      `Cannot see ${size} bytes of native memory as one ArrayBuffer: this runtime refuses it ` +
        `(${error instanceof Error ? error.message : error}). Use several blocks, or raw memory.`,
      { cause: error },
    );
  }
}
