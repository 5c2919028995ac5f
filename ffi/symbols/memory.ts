/**
 * Copies out of native memory, through the C library.
 *
 * @module
 */
import { COPY_SYMBOLS, libcLibrary } from "./libc.ts";
import { ffi } from "../mod.ts";
import type { Address, Calls } from "../types.ts";

let libc: Calls<typeof COPY_SYMBOLS> | undefined;

/** The C library's functions for it, opened at the first call and kept. */
export function libcCalls(): Calls<typeof COPY_SYMBOLS> {
  libc ??= ffi().open(libcLibrary(), COPY_SYMBOLS).calls;
  return libc;
}

/** A copy of `length` bytes at an address, which must be readable. */
export function readBytes(address: Address, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  if (length > 0) libcCalls().memcpy(bytes, address, length);
  return bytes;
}

/** The NUL-terminated UTF-8 string at an address, of at most `limit` bytes. */
export function readCString(address: Address, limit = 65_536): string {
  return new TextDecoder().decode(readBytes(address, libcCalls().strnlen(address, limit)));
}
