/**
 * What the two adapters for Node share.
 *
 * @module
 */
import { isPermissionRefusal, permissionError } from "../errors.ts";
import { loadError } from "../bind-library.ts";
import type { StartChanges } from "../types.ts";

/** The types that both name as C does; koffi in full, `node:ffi` without the `_t`. */
export function cNames(suffix: "" | "_t") {
  return {
    i8: { native: `int8${suffix}` },
    u8: { native: `uint8${suffix}` },
    i16: { native: `int16${suffix}` },
    u16: { native: `uint16${suffix}` },
    i32: { native: `int32${suffix}` },
    u32: { native: `uint32${suffix}` },
    i64: { native: `int64${suffix}` },
    u64: { native: `uint64${suffix}` },
    f32: { native: "float" },
    f64: { native: "double" },
    pointerAsDouble: { native: "double" },
  };
}

/**
 * Loads a library.
 *
 * @param flag What Node's permission model needs for it.
 * @throws {PermissionError} when that was not given.
 * @throws {LibraryLoadError} when the library cannot be loaded.
 */
export function load<L>(path: string | null, flag: string, attempt: () => L): L {
  try {
    return attempt();
  } catch (error) {
    if (isPermissionRefusal(error)) {
      throw permissionError(`load "${path ?? "this process"}"`, flag, error);
    }
    throw loadError(path, error);
  }
}

/** Node does this before it reads its options. */
export const START_CHANGES: StartChanges = {
  marks: "before-gap",
  resetsSignals: true,
  readsChannel: false,
};
