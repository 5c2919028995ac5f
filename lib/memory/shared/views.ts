/**
 * Views of native memory as elements of other types.
 *
 * @module
 */
import { inspect } from "node:util";
import type { ViewConstructor, ViewOf } from "../api/block.ts";
import { requireWhole } from "./sizes.ts";

/**
 * The size of a view's elements in bytes.
 *
 * @throws {TypeError} when it is no view's constructor.
 */
export function elementSize(action: string, type: ViewConstructor): number {
  const size = typeof type === "function" ? type.BYTES_PER_ELEMENT : undefined;
  if (size !== undefined) return size;
  if (Object.is(type, DataView)) return 1;
  throw new TypeError(
    `Cannot ${action}: the type must be a typed array's constructor or DataView; ` +
      `got ${inspect(type)}`,
  );
}

/** A view of a buffer of `size` bytes, checked. */
export function viewOf<C extends ViewConstructor>(
  type: C,
  buffer: ArrayBuffer,
  size: number,
  byteOffset: number,
  length: number | undefined,
): ViewOf<C> {
  const action = `view ${size} bytes`;
  const element = elementSize(action, type);
  requireWhole(action, "the offset", byteOffset, 0, size);
  if (byteOffset % element !== 0) {
    throw new RangeError(
      `Cannot ${action}: the offset must be a multiple of ${element} bytes; got ${byteOffset}`,
    );
  }
  const most = Math.floor((size - byteOffset) / element);
  if (length !== undefined) requireWhole(action, "the length", length, 0, most);
  return new type(buffer, byteOffset, length ?? most) as ViewOf<C>;
}
