/**
 * What the two adapters for Node share.
 *
 * @module
 */
import process from "node:process";
import { isPermissionRefusal, permissionError } from "../errors.ts";
import { loadError } from "../bind-library.ts";
import type { StartChanges } from "../types.ts";

/** A type of the contract that both adapters name as C does. */
type CType = "i8" | "u8" | "i16" | "u16" | "i32" | "u32" | "i64" | "u64" | "f32" | "f64";

/** The types that both name as C does; koffi in full, `node:ffi` without the `_t`. */
export function cNames(
  suffix: "" | "_t",
): Readonly<Record<CType | "pointerAsDouble", { readonly native: string }>> {
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

/** The flag that native libraries need, where Node's permission model is on and it was not given. */
export function missingNodeFlags(): string[] {
  // Loading node:ffi would make Node print a warning.
  const [scope, flag] = process.getBuiltinModule("node:module").isBuiltin("node:ffi")
    ? ["ffi", "--allow-ffi"]
    : ["addon", "--allow-addons"];
  // Without the model there is no such object.
  const permission = process.permission as NodeJS.Process["permission"] | undefined;
  return permission?.has(scope) === false ? [flag] : [];
}

/** Node does this before it reads its options. */
export const START_CHANGES: StartChanges = {
  marks: "before-gap",
  resetsSignals: true,
  readsChannel: false,
};
