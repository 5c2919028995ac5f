/**
 * Strings as C has them: NUL-terminated.
 *
 * @module
 */
import { libcCalls } from "../../ffi/symbols/memory.ts";
import type { Address } from "../../ffi/types.ts";
import { requireAddress, requireWhole } from "./shared/arguments.ts";

/** The longest string that is looked for without a limit: 1 GiB. */
const MAX_BYTES: number = 2 ** 30;

/**
 * The length of the NUL-terminated string at an address, without the NUL.
 *
 * @param limit The maximum of bytes to look at.
 * @returns In bytes.
 * @throws {RangeError} when there is no zero within the limit, and for what is not an address.
 * @throws {PermissionError} when the runtime does not permit FFI.
 * @example
 * ```ts
 * import { borrow, cStringLength, openLibrary } from "@offheap/offheap";
 *
 * const libc = openLibrary(null, { getenv: { parameters: ["cstring"], result: "pointer" } });
 * const address = libc.calls.getenv("PATH");
 * const text = borrow(address, cStringLength(address));
 * console.log(new TextDecoder().decode(text.bytes).includes("/"));
 * text.end();
 * ```
 */
export function cStringLength(address: Address, limit: number = MAX_BYTES): number {
  const action = "measure a C string";
  requireAddress(action, address);
  requireWhole(action, "the limit", limit, 1, Number.MAX_SAFE_INTEGER);
  const length = libcCalls().strnlen(address, limit);
  if (length < limit) return length;
  throw new RangeError(
    `Cannot ${action}: it must end within ${limit} bytes; got none at 0x${address.toString(16)}`,
  );
}
