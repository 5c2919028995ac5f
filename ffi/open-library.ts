/**
 * Native libraries of others, opened by the same contract in every runtime.
 *
 * @module
 */
import { inspect } from "node:util";
import { ffi } from "./mod.ts";
import type {
  NativeLibrary,
  ParameterType,
  ResultType,
  SymbolSignature,
  SymbolTable,
} from "./types.ts";

/** Every native type: what is not here is refused before it is called. */
const RESULT_TYPES: Readonly<Record<ResultType, true>> = {
  void: true,
  bool: true,
  i8: true,
  u8: true,
  i16: true,
  u16: true,
  i32: true,
  u32: true,
  i64: true,
  u64: true,
  long: true,
  usize: true,
  f32: true,
  f64: true,
  pointer: true,
  pointerAsDouble: true,
};
const { void: _, ...VALUES } = RESULT_TYPES;
const PARAMETER_TYPES: Readonly<Record<ParameterType, true>> = {
  ...VALUES,
  buffer: true,
  cstring: true,
};

const ACTION = "open a library";

function requireType(symbol: string, what: string, type: unknown, known: object): void {
  if (typeof type === "string" && Object.hasOwn(known, type)) return;
  throw new TypeError(
    `Cannot ${ACTION}: ${what} of ${symbol} must be one of ${Object.keys(known).join(", ")}; ` +
      `got ${inspect(type)}`,
  );
}

/** A row by its own properties, each of which is known: a runtime would pass over some of them. */
function checkRow(symbol: string, row: unknown): SymbolSignature {
  if (typeof row !== "object" || row === null) {
    throw new TypeError(`Cannot ${ACTION}: ${symbol} must be an object; got ${inspect(row)}`);
  }
  const { parameters, result, optional, ...rest } = Object.assign(
    Object.create(null) as Partial<SymbolSignature>,
    row,
  );
  for (const name of Object.keys(rest)) {
    throw new TypeError(
      `Cannot ${ACTION}: a property of ${symbol} must be one of parameters, result, optional; ` +
        `got ${inspect(name)}`,
    );
  }
  if (!Array.isArray(parameters)) {
    throw new TypeError(
      `Cannot ${ACTION}: the parameters of ${symbol} must be a list; got ${inspect(parameters)}`,
    );
  }
  for (const type of parameters) requireType(symbol, "a parameter", type, PARAMETER_TYPES);
  requireType(symbol, "the result", result, RESULT_TYPES);
  const signature = { parameters: [...parameters], result: result as ResultType };
  if (optional === undefined) return Object.assign(Object.create(null), signature);
  if (optional === true) return { ...signature, optional };
  throw new TypeError(
    `Cannot ${ACTION}: optional of ${symbol} must be true or left out; got ${inspect(optional)}`,
  );
}

/**
 * Opens a native library and binds functions of it, in the same way in Deno, Bun and Node: the
 * types of the calls come from the table. Addresses are numbers; `usize` and `long` are numbers,
 * `i64` and `u64` bigints, a `buffer` is a view whose bytes are passed during the call, a `cstring`
 * a string that is passed NUL-terminated. Calls are synchronous.
 *
 * A signature that is not the library's own ends as it does in C: nothing can check it.
 *
 * @param path The library, as the dynamic linker finds it; `null` for what the process itself has,
 * such as the C library's functions.
 * @throws {LibraryLoadError} when the library cannot be loaded.
 * @throws {SymbolError} when a symbol that is not optional is missing; all are named.
 * @throws {PermissionError} when the runtime does not permit FFI.
 * @throws {UnsupportedRuntimeError} when the runtime has no foreign function interface.
 * @throws {TypeError} when the path is not a string, or the table is not a symbol table.
 * @example
 * ```ts
 * import { openAllocator, openLibrary } from "@offheap/offheap";
 *
 * const libc = openLibrary(null, {
 *   strlen: { parameters: ["pointer"], result: "usize" },
 *   abs: { parameters: ["i32"], result: "i32" },
 *   getrandom: { parameters: ["buffer", "usize", "u32"], result: "long", optional: true },
 * });
 * const memory = openAllocator();
 * const text = memory.allocateFrom("native", { terminated: true });
 * console.log(libc.calls.strlen(text.address), libc.calls.abs(-5));
 * console.log(libc.calls.getrandom?.(new Uint8Array(16), 16, 0) ?? "not on this system");
 * text.free();
 * memory.close();
 * libc.close();
 * ```
 */
export function openLibrary<const T extends SymbolTable>(
  path: string | null,
  table: T,
): NativeLibrary<T> {
  const isPath = typeof path === "string" && path !== "" && !path.includes("\0");
  if (path !== null && !isPath) {
    throw new TypeError(
      `Cannot ${ACTION}: the path must be a path that is not empty, or null; got ${inspect(path)}`,
    );
  }
  if (typeof table !== "object" || table === null || Array.isArray(table)) {
    throw new TypeError(`Cannot ${ACTION}: the table must be an object; got ${inspect(table)}`);
  }
  const rows = Object.entries(table).map(([symbol, row]) => [symbol, checkRow(symbol, row)]);
  return ffi().open(path, Object.fromEntries(rows) as T);
}
