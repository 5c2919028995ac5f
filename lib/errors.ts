/**
 * The errors of offheap's own work: verifying, launching, building.
 *
 * @module
 */
import { OffheapError } from "../ffi/errors.ts";

export {
  LibraryClosedError,
  LibraryLoadError,
  type LoadAttempt,
  OffheapError,
  PermissionError,
  SymbolError,
  UnsupportedRuntimeError,
} from "../ffi/errors.ts";

/** The allocator that was required is not the one that serves memory, or it could not be proven. */
export class VerificationError extends OffheapError {
  static {
    this.prototype.name = "VerificationError";
  }

  /** Makes the error with a sentence for the user. */
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_OFFHEAP_VERIFICATION", message, options);
  }
}

/** What jemalloc means by the error numbers that it answers on every system. */
const MALLCTL_REASONS: Readonly<Record<number, string>> = {
  1: "it cannot be written, or not now",
  2: "this jemalloc has no such key or number, or was built or started without what it is about",
  14: "jemalloc could not do it",
  22: "the value is not one that it takes",
};

/** A `mallctl` call failed. */
export class MallctlError extends OffheapError {
  static {
    this.prototype.name = "MallctlError";
  }

  /** The mallctl key. */
  readonly key: string;
  /** The error number that jemalloc returned. */
  readonly errno: number;

  /** Makes the error for a key and the error number that it answered. */
  constructor(key: string, errno: number, options?: ErrorOptions) {
    const why = MALLCTL_REASONS[errno] ?? "jemalloc refused it";
    super(
      "ERR_OFFHEAP_MALLCTL",
      `Cannot use mallctl: "${key}": ${why} (error number ${errno}).`,
      options,
    );
    this.key = key;
    this.errno = errno;
  }
}

/** A command cannot be run under the allocator that was asked for. */
export class LaunchError extends OffheapError {
  static {
    this.prototype.name = "LaunchError";
  }

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
  static {
    this.prototype.name = "BuildError";
  }

  /** Makes the error with a sentence for the user. */
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_OFFHEAP_BUILD", message, options);
  }
}

/** A running process cannot be examined. */
export class DoctorError extends OffheapError {
  static {
    this.prototype.name = "DoctorError";
  }

  /** Makes the error with a sentence for the user. */
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_OFFHEAP_DOCTOR", message, options);
  }
}

/** The agent of a process cannot be asked. */
export class AgentError extends OffheapError {
  static {
    this.prototype.name = "AgentError";
  }

  /** Makes the error with a sentence for the user. */
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_OFFHEAP_AGENT", message, options);
  }
}

/** Variants cannot be compared. */
export class CompareError extends OffheapError {
  static {
    this.prototype.name = "CompareError";
  }

  /** Makes the error with a sentence for the user. */
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_OFFHEAP_COMPARE", message, options);
  }
}

/** A heap profile cannot be taken or read. */
export class HeapProfileError extends OffheapError {
  static {
    this.prototype.name = "HeapProfileError";
  }

  /** Makes the error with a sentence for the user. */
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_OFFHEAP_HEAP_PROFILE", message, options);
  }
}

/** What the system reports of itself cannot be read, or is not what it documents. */
export class SystemInfoError extends OffheapError {
  static {
    this.prototype.name = "SystemInfoError";
  }

  /** Makes the error with a sentence for the user. */
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_OFFHEAP_SYSTEM_INFO", message, options);
  }
}

/**
 * There is no memory for an allocation. All that is allocated stays usable.
 *
 * @example
 * ```ts
 * import { openAllocator, OutOfMemoryError } from "@offheap/offheap";
 *
 * const memory = openAllocator();
 * try {
 *   memory.allocate(2 ** 47);
 * } catch (error) {
 *   if (error instanceof OutOfMemoryError) console.log(error.code, error.size, error.alignment);
 * }
 * memory.allocate(16).free();
 * memory.close();
 * ```
 */
export class OutOfMemoryError extends OffheapError {
  static {
    this.prototype.name = "OutOfMemoryError";
  }

  /** The size that was asked for, in bytes. */
  readonly size: number;
  /** The alignment that was asked for, in bytes. */
  readonly alignment: number;

  /**
   * Makes the error for one request.
   *
   * @param request What was asked for, where its size and alignment do not say it.
   */
  constructor(
    what: string,
    size: number,
    alignment: number,
    request = `allocate ${what} of ${size} bytes, aligned to ${alignment}`,
  ) {
    super(
      "ERR_OFFHEAP_OUT_OF_MEMORY",
      `Cannot ${request}: the system gives no more memory. Free blocks that are not needed, or ` +
        "raise the limit (ulimit -v, the control group).",
    );
    this.size = size;
    this.alignment = alignment;
  }
}

/** Why a block was refused. */
export type BlockErrorReason =
  /** It was freed, or its owner was. */
  | "freed"
  /** Its ownership was released. */
  | "released"
  /** It was given to another thread. */
  | "transferred"
  /** It belongs to another allocator, heap, arena or process. */
  | "foreign"
  /** It was borrowed, and its use was ended. */
  | "ended"
  /** Its buffer was detached by something else. */
  | "detached"
  /** It belongs to a heap, which is destroyed as a whole. */
  | "heap"
  /** An asynchronous call uses it: see {@linkcode Block.hold}. */
  | "held"
  /** A handle that was claimed before. */
  | "claimed"
  /** A mark that has ended. */
  | "stale"
  /** An address that is in use already. */
  | "in use"
  /** Another size than the one it was allocated with. */
  | "size";

/**
 * A block, a lease, a mark or a handle cannot be used for what was asked.
 *
 * @example
 * ```ts
 * import { BlockError, openAllocator } from "@offheap/offheap";
 *
 * const memory = openAllocator();
 * const block = memory.allocate(16);
 * block.free();
 * try {
 *   block.free();
 * } catch (error) {
 *   if (error instanceof BlockError) console.log(error.code, error.reason);
 * }
 * memory.close();
 * ```
 */
export class BlockError extends OffheapError {
  static {
    this.prototype.name = "BlockError";
  }

  /** Why, as a stable word. */
  readonly reason: BlockErrorReason;

  /** Makes the error with a sentence for the user. */
  constructor(reason: BlockErrorReason, message: string, options?: ErrorOptions) {
    super("ERR_OFFHEAP_BLOCK", message, options);
    this.reason = reason;
  }
}

/**
 * An allocator, arena, heap or pool was closed.
 *
 * @example
 * ```ts
 * import { ClosedError, openAllocator } from "@offheap/offheap";
 *
 * const memory = openAllocator();
 * memory.close();
 * try {
 *   memory.allocate(16);
 * } catch (error) {
 *   if (error instanceof ClosedError) console.log(error.code, error.message);
 * }
 * ```
 */
export class ClosedError extends OffheapError {
  static {
    this.prototype.name = "ClosedError";
  }

  /** Makes the error for an action, as it completes "Cannot …", and what was closed. */
  constructor(action: string, what: string, options?: ErrorOptions) {
    super("ERR_OFFHEAP_CLOSED", `Cannot ${action}: ${what}.`, options);
  }
}

/**
 * All blocks of a pool are leased.
 *
 * @example
 * ```ts
 * import { openAllocator, PoolExhaustedError } from "@offheap/offheap";
 *
 * const memory = openAllocator();
 * const pool = memory.pool({ blockSize: 4096, max: 1 });
 * const lease = pool.acquire();
 * try {
 *   pool.acquire();
 * } catch (error) {
 *   if (error instanceof PoolExhaustedError) console.log(error.code, error.max);
 * }
 * lease.release();
 * memory.close();
 * ```
 */
export class PoolExhaustedError extends OffheapError {
  static {
    this.prototype.name = "PoolExhaustedError";
  }

  /** The most blocks there may be. */
  readonly max: number;

  /** Makes the error for a pool's limit. */
  constructor(max: number, options?: ErrorOptions) {
    super(
      "ERR_OFFHEAP_POOL_EXHAUSTED",
      `Cannot acquire a block: all ${max} of the pool are leased. Release one, raise "max", or ` +
        "wait for one with wait({ signal }).",
      options,
    );
    this.max = max;
  }
}

/**
 * This allocator cannot do what was asked of it.
 *
 * @example
 * ```ts
 * import { openAllocator, UnsupportedOperationError } from "@offheap/offheap";
 *
 * const memory = openAllocator({ allocator: "system" });
 * try {
 *   memory.heap();
 * } catch (error) {
 *   if (error instanceof UnsupportedOperationError) console.log(error.code, error.message);
 * }
 * memory.close();
 * ```
 */
export class UnsupportedOperationError extends OffheapError {
  static {
    this.prototype.name = "UnsupportedOperationError";
  }

  /** Makes the error with a sentence for the user. */
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_OFFHEAP_UNSUPPORTED_OPERATION", message, options);
  }
}
