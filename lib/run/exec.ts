/**
 * Becoming another program.
 *
 * @module
 */
import process from "node:process";
import { getSystemErrorMap } from "node:util";
import { ffi } from "../../ffi/mod.ts";
import { SHIM_SYMBOLS } from "../../ffi/symbols/shim.ts";
import { LaunchError } from "../errors.ts";
import { encodeExact } from "../exact-text.ts";
import { changedError, type CheckedFile } from "./checked-file.ts";

const POINTER_BYTES = 8;
const ENOENT = 2;
/** That another file is there, see `ffi/native/execute.h`. */
const ESTALE = 116;

/** Errors that say the file is there but cannot be executed; the statuses are those of a shell. */
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;

/** A C array of strings, ended by `NULL`, in one buffer that does not move. */
export function encodeStringArray(strings: readonly string[]): Uint8Array<ArrayBuffer> {
  const encoded = strings.map((text) => encodeExact(`${text}\0`));
  const table = (strings.length + 1) * POINTER_BYTES;
  const total = encoded.reduce((sum, bytes) => sum + bytes.length, table);
  const bytes = new Uint8Array(new ArrayBuffer(total));
  const pointers = new DataView(bytes.buffer);
  const base = ffi().addressOf(bytes);
  let at = table;
  encoded.forEach((text, index) => {
    bytes.set(text, at);
    pointers.setBigUint64(index * POINTER_BYTES, BigInt(base + at), true);
    at += text.length;
  });
  return bytes;
}

/** What a file is known by, in the order of `ffi/native/execute.h`. */
function encodeChecked(checked: CheckedFile): Float64Array<ArrayBuffer> {
  const { device, inode, size, mode, capabilities, program } = checked;
  return Float64Array.of(device, inode, size, mode, Number(capabilities), Number(program));
}

/** The error for what `execve` answered. */
function executionError(path: string, errno: number): LaunchError {
  if (errno === ESTALE) return changedError(path);
  const [name, text] = getSystemErrorMap().get(-errno) ?? [`error ${errno}`, "unknown error"];
  const status = errno === ENOENT ? NOT_FOUND : NOT_EXECUTABLE;
  return new LaunchError(`Cannot run "${path}": ${text} (${name}).`, status);
}

/**
 * Replaces this process by a program. Returns only by throwing.
 *
 * @param shim The path of offheap's shim.
 * @param environment Its environment, `NAME=VALUE` each.
 * @param checked The file that is at the path: another one is not executed.
 * @throws {LaunchError} status 127 when the program is not there, 126 when it cannot be executed.
 * @throws {LibraryLoadError} when the shim cannot be loaded.
 */
export function becomeProgram(
  shim: string,
  path: string,
  argv: readonly string[],
  environment: readonly string[],
  checked: CheckedFile,
): never {
  const { calls } = ffi().open(shim, { offheap_exec: SHIM_SYMBOLS.offheap_exec });
  // Node writes what it has compiled at its end, which this is.
  process.getBuiltinModule("node:module").flushCompileCache?.();
  const errno = calls.offheap_exec(
    path,
    encodeStringArray(argv),
    encodeStringArray(environment),
    encodeChecked(checked),
  );
  throw executionError(path, errno);
}
