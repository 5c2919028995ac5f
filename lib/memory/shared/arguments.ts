/**
 * What callers pass in, checked before native code is reached.
 *
 * @module
 */
import { inspect, types } from "node:util";
import { glance, requireFlag } from "../../options.ts";
import { isDetached } from "./buffers.ts";

/** The largest size that can be asked for: the addresses of the supported systems end there. */
export const MAX_SIZE: number = 2 ** 47;

/** The alignment that every block has, in bytes: that of C's `max_align_t`. */
export const MIN_ALIGNMENT = 16;

/** The largest alignment that can be asked for, in bytes. */
const MAX_ALIGNMENT: number = 2 ** 30;

/** The error for a number that is not what is wanted. */
function refuse(action: string, what: string, value: unknown, wanted: string): never {
  const Kind = typeof value === "number" ? RangeError : TypeError;
  throw new Kind(`Cannot ${action}: ${what} must be ${wanted}; got ${inspect(value)}`);
}

/**
 * Refuses what is not a whole number within bounds.
 *
 * @throws {TypeError} for another type, {RangeError} for another number.
 */
export function requireWhole(
  action: string,
  what: string,
  value: unknown,
  least: number,
  most: number,
): asserts value is number {
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return;
  refuse(action, what, value, `a whole number from ${least} to ${most}`);
}

/** Refuses what is not a size in bytes. */
export function requireSize(action: string, value: unknown): asserts value is number {
  requireWhole(action, "the size", value, 0, MAX_SIZE);
}

/** Refuses what is not an alignment: a power of two. */
export function requireAlignment(
  action: string,
  value: unknown,
  most: number = MAX_ALIGNMENT,
): asserts value is number {
  const whole = Number.isInteger(value) && (value as number) >= 1 && (value as number) <= most;
  if (whole && Number.isInteger(Math.log2(value as number))) return;
  refuse(action, "the alignment", value, `a power of two from 1 to ${most}`);
}

/** An alignment that may be left out, checked. */
export function alignmentOption(action: string, alignment: number | undefined): number {
  if (alignment === undefined) return MIN_ALIGNMENT;
  requireAlignment(action, alignment);
  return Math.max(alignment, MIN_ALIGNMENT);
}

/** A flag that may be left out, checked. */
export function flagOption(action: string, what: string, value: boolean | undefined): boolean {
  requireFlag(action, what, value);
  return value ?? false;
}

/** Refuses what is not an address of user space. */
export function requireAddress(action: string, value: unknown, what = "the address"): void {
  requireWhole(action, what, value, 1, 2 ** 52);
}

/** The bytes of a string or a buffer, for copying. */
export function bytesOf(
  action: string,
  data: string | ArrayBufferView | ArrayBufferLike,
): Uint8Array {
  if (typeof data === "string") return new TextEncoder().encode(data);
  const view = ArrayBuffer.isView(data) ? data : null;
  // Of whichever realm: test runners give programs globals of their own.
  if (view === null && !types.isAnyArrayBuffer(data)) {
    throw new TypeError(
      `Cannot ${action}: the data must be a string, a view or an ArrayBuffer; got ${glance(data)}`,
    );
  }
  const buffer = view?.buffer ?? data as ArrayBufferLike;
  if (isDetached(buffer)) {
    throw new TypeError(
      `Cannot ${action}: the data must be memory that has not ended; got a detached buffer, or a ` +
        "view of one",
    );
  }
  return new Uint8Array(buffer, view?.byteOffset, view?.byteLength);
}
