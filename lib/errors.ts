/**
 * The errors of offheap's own work: verifying, launching, building.
 *
 * @module
 */
import { OffheapError } from "../ffi/errors.ts";

export {
  LibraryLoadError,
  type LoadAttempt,
  OffheapError,
  PermissionError,
  SymbolError,
  UnsupportedRuntimeError,
} from "../ffi/errors.ts";

/** The allocator that was required is not the one that serves memory, or it could not be proven. */
export class VerificationError extends OffheapError {
  /** Makes the error with a sentence for the user. */
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_OFFHEAP_VERIFICATION", message, options);
  }
}

/** A `mallctl` call failed. */
export class MallctlError extends OffheapError {
  /** The mallctl key. */
  readonly key: string;
  /** The error number that jemalloc returned. */
  readonly errno: number;

  /** Makes the error for a key and the error number that it answered. */
  constructor(key: string, errno: number, options?: ErrorOptions) {
    super("ERR_OFFHEAP_MALLCTL", `mallctl("${key}") failed with error number ${errno}.`, options);
    this.key = key;
    this.errno = errno;
  }
}

/** A command cannot be run under the allocator that was asked for. */
export class LaunchError extends OffheapError {
  /** The exit status that the command line ends with: 125 refused, 126 not executable, 127 not found. */
  readonly status: 125 | 126 | 127;

  /** Makes the error with a sentence for the user and an exit status. */
  constructor(message: string, status: 125 | 126 | 127 = 125, options?: ErrorOptions) {
    super("ERR_OFFHEAP_LAUNCH", message, options);
    this.status = status;
  }
}

/** A native library could not be built. */
export class BuildError extends OffheapError {
  /** Makes the error with a sentence for the user. */
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_OFFHEAP_BUILD", message, options);
  }
}

/** A running process cannot be examined. */
export class DoctorError extends OffheapError {
  /** Makes the error with a sentence for the user. */
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_OFFHEAP_DOCTOR", message, options);
  }
}

/** What the system tells of itself cannot be read, or is not what it documents. */
export class SystemInfoError extends OffheapError {
  /** Makes the error with a sentence for the user. */
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_OFFHEAP_SYSTEM_INFO", message, options);
  }
}
