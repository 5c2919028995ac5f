/**
 * Views of native memory as elements of other types.
 *
 * @module
 */
import { inspect } from "node:util";
import { requireWhole } from "./arguments.ts";

/**
 * A typed array's constructor, or that of `DataView`; also a variable that may be any of them.
 *
 * @example
 * ```ts
 * import { openAllocator, type ViewConstructor, type ViewOf } from "@offheap/offheap";
 *
 * const memory = openAllocator();
 * const block = memory.allocate(64, { zeroed: true });
 * function viewAs<C extends ViewConstructor>(type: C): ViewOf<C> {
 *   return block.as(type);
 * }
 * for (const type of [Float64Array, Uint16Array]) console.log(viewAs(type).length);
 * block.free();
 * memory.close();
 * ```
 */
export interface ViewConstructor {
  /** Makes a view of `length` elements, or bytes for a `DataView`, from a byte offset on. */
  new (buffer: ArrayBuffer, byteOffset: number, length: number): ArrayBufferView;
  /** An element's size in bytes; a `DataView` has none, and 1 is taken. */
  readonly BYTES_PER_ELEMENT?: number;
}

/** The view that a constructor makes over a block's memory, such as `Float64Array<ArrayBuffer>`. */
export type ViewOf<C extends ViewConstructor> = C extends
  new (buffer: ArrayBuffer, byteOffset: number, length: number) => infer V
  ? V extends DataView ? DataView<ArrayBuffer> : V
  : never;

/**
 * The size of a view's elements in bytes.
 *
 * @throws {TypeError} when it is no view's constructor.
 */
export function elementSize(action: string, type: ViewConstructor): number {
  const size = typeof type === "function" ? type.BYTES_PER_ELEMENT : undefined;
  if (size === 1 || size === 2 || size === 4 || size === 8) return size;
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
