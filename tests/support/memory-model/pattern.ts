/**
 * What pieces of memory are filled with: each has bytes that no other has.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { MAX_BYTES } from "./operation.ts";

/** So many pieces have patterns of their own. */
const PATTERNS: number = 1 << 16;

/** No piece is larger: adopted ones may have what the allocator set aside. */
const MOST: number = 2 * MAX_BYTES;

const zeros: Uint8Array<ArrayBuffer> = new Uint8Array(MOST);
let table: Uint8Array<ArrayBuffer> | undefined;

function noise(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(PATTERNS + MOST);
  let state = 0x9e3779b9;
  for (let index = 0; index < bytes.length; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[index] = state;
  }
  return bytes;
}

/** The bytes of a piece: the noise from a place of its own on. An odd factor repeats none. */
export function pattern(id: number, size: number): Uint8Array<ArrayBuffer> {
  const start = Math.imul(id, 7919) & (PATTERNS - 1);
  table ??= noise();
  return table.subarray(start, start + size);
}

/** Bytes are those that they were to be; what is said counts from an index. */
export function requireBytes(
  bytes: Uint8Array,
  wanted: Uint8Array,
  what: string,
  from = 0,
): void {
  if (Buffer.compare(bytes, wanted) === 0) return;
  const index = bytes.findIndex((byte, at) => byte !== wanted[at]);
  assert.fail(
    `${what}: byte ${from + index} of ${from + bytes.length} is ${bytes[index]}; it was to be ` +
      `${wanted[index]}`,
  );
}

/** The first bytes are those of a piece. */
export function requirePattern(bytes: Uint8Array, id: number, size: number, what: string): void {
  requireBytes(bytes.subarray(0, size), pattern(id, size), what);
}

/** Every byte from an index on is zero. */
export function requireZeros(bytes: Uint8Array, from: number, what: string): void {
  if (bytes.length <= from) return;
  requireBytes(bytes.subarray(from), zeros.subarray(0, bytes.length - from), what, from);
}

/** Views that have ended: nothing can be reached by them. */
export function requireDetached(views: readonly ArrayBufferView[], what: string): void {
  for (const view of views) {
    // A detached DataView throws when it is asked for its own length.
    const left = view instanceof DataView ? view.buffer.byteLength : view.byteLength;
    if (left !== 0) assert.fail(`${what}: a ${view.constructor.name} still sees ${left} bytes`);
    const { buffer } = view;
    assert.ok(buffer instanceof ArrayBuffer && buffer.detached, `${what}: a buffer is attached`);
  }
}
