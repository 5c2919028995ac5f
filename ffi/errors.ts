/**
 * The errors that loading and calling native code can end in.
 *
 * @module
 */

/** The root of offheap's errors. {@linkcode OffheapError.code} is stable; the message is for people. */
export class OffheapError extends Error {
  static {
    this.prototype.name = "OffheapError";
  }

  /** A stable identifier, such as `ERR_OFFHEAP_LIBRARY_LOAD`. */
  readonly code: string;

  /** Makes an error with a stable code. */
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** One way that was tried to find or load a library, and how it ended. */
export interface LoadAttempt {
  /** Where the path came from, such as `option` or `build output`. */
  readonly origin: string;
  /** The path, or what was given instead. */
  readonly path: string;
  /** How the attempt ended. */
  readonly outcome: string;
}

/** A native library could not be found or loaded. */
export class LibraryLoadError extends OffheapError {
  static {
    this.prototype.name = "LibraryLoadError";
  }

  /** Every path that was tried, in order. */
  readonly attempts: readonly LoadAttempt[];

  /** Makes the error with what was tried. */
  constructor(message: string, attempts: readonly LoadAttempt[] = [], options?: ErrorOptions) {
    super("ERR_OFFHEAP_LIBRARY_LOAD", message, options);
    this.attempts = attempts;
  }
}

/** A library was loaded but lacks a symbol that offheap needs. */
export class SymbolError extends OffheapError {
  static {
    this.prototype.name = "SymbolError";
  }

  /** The library's path. */
  readonly path: string;
  /** The missing symbols. */
  readonly symbols: readonly string[];

  /** Makes the error for the missing symbols of one library. */
  constructor(path: string, symbols: readonly string[], options?: ErrorOptions) {
    super(
      "ERR_OFFHEAP_SYMBOL",
      `Cannot use "${path}": it does not export ${symbols.join(", ")}. ` +
        "It is another library, or a version that offheap does not know.",
      options,
    );
    this.path = path;
    this.symbols = symbols;
  }
}

/** The flag that implies every other one. */
const EVERYTHING = "--allow-all";

/** The runtime's permissions do not allow what offheap needs; the message names the flags. */
export class PermissionError extends OffheapError {
  static {
    this.prototype.name = "PermissionError";
  }

  /** What was refused, as it completes the sentence "Cannot …". */
  readonly action: string;
  /** The flag that allows it, such as `--allow-ffi`. */
  readonly flag: string;
  /** All the flags that are missing for what was called, that one first. */
  readonly flags: readonly string[];

  /** Makes the error for an action that flags would allow. */
  constructor(action: string, flags: string | readonly string[], options?: ErrorOptions) {
    const all = [...new Set([flags].flat())];
    const needed = all.includes(EVERYTHING) ? [EVERYTHING] : all;
    super(
      "ERR_OFFHEAP_PERMISSION",
      `Cannot ${action}: the runtime does not permit it. Run the program with ${needed.join(" ")}.`,
      options,
    );
    this.action = action;
    this.flag = needed[0] ?? "";
    this.flags = needed;
  }
}

/** This runtime, or this version of it, has no foreign function interface that offheap can use. */
export class UnsupportedRuntimeError extends OffheapError {
  static {
    this.prototype.name = "UnsupportedRuntimeError";
  }

  /** Makes the error with a sentence for the user. */
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_OFFHEAP_UNSUPPORTED_RUNTIME", message, options);
  }
}

/** A call into a library that was closed. */
export class LibraryClosedError extends OffheapError {
  static {
    this.prototype.name = "LibraryClosedError";
  }

  /** Makes the error for a function of a closed library. */
  constructor(path: string, symbol: string) {
    super("ERR_OFFHEAP_LIBRARY_CLOSED", `Cannot call ${symbol}: "${path}" was closed.`);
  }
}

/**
 * Whether an error is a runtime's refusal of a permission: Deno's, or that of Node's permission
 * model.
 */
export function isPermissionRefusal(error: unknown): error is Error {
  return error instanceof Error &&
    (error.name === "NotCapable" || ("code" in error && error.code === "ERR_ACCESS_DENIED"));
}

/** Each runtime names the flag at the end of its own message; a path before it may look like one. */
const ADVISED_FLAG = /^.*(--allow-[a-z-]+)/s;

/** Node's flags for files, which ask for a value. */
const FILE_FLAG = /^--allow-fs-[a-z]+$/;

/**
 * The error for a runtime's refusal, with the flag that the runtime itself asks for: Deno opens most
 * of `/proc` only with `--allow-all`, and Node's `--allow-read` is called `--allow-fs-read`.
 *
 * @param action What was attempted, as it completes the sentence "Cannot …".
 * @param flag The flag where the refusal names none, or a part of this one.
 */
export function permissionError(action: string, flag: string, refusal: Error): PermissionError {
  const advised = ADVISED_FLAG.exec(refusal.message)?.[1] ?? flag;
  const named = flag.startsWith(advised) ? flag : advised;
  const whole = FILE_FLAG.test(named) ? `${named}=*` : named;
  return new PermissionError(action, whole, { cause: refusal });
}

/**
 * Runs something that a runtime's permissions may refuse, and turns a refusal into a
 * {@linkcode PermissionError} that names the flag. Other errors pass.
 *
 * @param action What is attempted, as it completes the sentence "Cannot …".
 * @param flag The flag that allows it, such as `--allow-read`, where the refusal names none.
 */
export function withPermission<R>(action: string, flag: string, attempt: () => R): R {
  try {
    return attempt();
  } catch (error) {
    if (isPermissionRefusal(error)) throw permissionError(action, flag, error);
    throw error;
  }
}
