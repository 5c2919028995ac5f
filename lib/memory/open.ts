/**
 * Opening an allocator: found, proven, bound.
 *
 * @module
 */
import { inspect } from "node:util";
import { isPermissionRefusal, permissionError } from "../../ffi/errors.ts";
import { ffi } from "../../ffi/mod.ts";
import { NULL } from "../../ffi/types.ts";
import type { AllocatorChoice } from "../allocators/policy.ts";
import { LibraryLoadError, SymbolError, VerificationError } from "../errors.ts";
import type { Variant } from "../library/manifest.ts";
import { ownOptions, requireFlag } from "../options.ts";
import { LIBRARIES, withPermissions } from "../permissions.ts";
import { type OwnBlocks, proveOwnBlocks } from "../verify/own-blocks.ts";
import { type Allocator, NativeAllocator } from "./allocator.ts";
import type { AllocatorKind, MemoryCalls } from "../allocators/memory.ts";
import { countersOf } from "./counters.ts";
import { type LeakLevel, leakLevel, type LeakReport, LeakTracker } from "./leaks.ts";
import { memoryCalls } from "./shared/native.ts";

/**
 * Which allocator to open, and how it watches.
 *
 * @example
 * ```ts
 * import { openAllocator, type OpenOptions } from "@offheap/offheap";
 *
 * const options: OpenOptions = { allocator: "jemalloc", leaks: "off", debug: true };
 * const memory = openAllocator(options);
 * const address = memory.cached.malloc(48);
 * memory.cached.free(address, 48);
 * console.log(memory.name, memory.cached.statistics().live);
 * memory.close();
 * ```
 */
export interface OpenOptions {
  /**
   * The allocator; `auto`, the default, is that of `OFFHEAP_ALLOCATOR`, else the one that serves the
   * process, where offheap can open it, else the policy's.
   */
  readonly allocator?: AllocatorChoice | undefined;
  /** The path of its library; without it the usual places are looked at. */
  readonly library?: string | undefined;
  /** How the library was built; `release` without it. */
  readonly variant?: Variant | undefined;
  /** Which leaks are reported; that of `OFFHEAP_LEAKS` without it, else `sampled`. */
  readonly leaks?: LeakLevel | undefined;
  /** Called with each leak; without it a process warning of the type `OffheapLeak` is emitted. */
  readonly onLeak?: ((leak: LeakReport) => void) | undefined;
  /** Check addresses and sizes in {@linkcode CachedAllocator}, at the price of its speed. */
  readonly debug?: boolean | undefined;
}

const ACTION = "open an allocator";
const OPTIONS: readonly (keyof OpenOptions)[] = [
  "allocator",
  "library",
  "variant",
  "leaks",
  "onLeak",
  "debug",
];

/** Variants that look for misuse of memory. */
const WATCHFUL: ReadonlySet<Variant | undefined> = new Set<Variant | undefined>([
  "debug",
  "secure",
]);

/** How long a message of the shim's may be. */
const MESSAGE_BYTES = 512;

/** What was opened in this thread: Bun never gives back what it has bound of a library. */
const kinds = new WeakMap<object, AllocatorKind>();

function openKind({ openMemory, resolved }: OwnBlocks, calls: MemoryCalls): AllocatorKind {
  const key = resolved ?? openMemory;
  const kind = kinds.get(key) ?? openMemory(resolved ?? { path: "", manifest: null }, calls);
  kinds.set(key, kind);
  return kind;
}

function requireProof({ name, verified, evidence, resolved }: OwnBlocks): void {
  if (verified) return;
  const against = evidence
    .filter(({ outcome }) => outcome === "fail")
    .map(({ check, detail }) => ` ${check}: ${detail}.`);
  const where = resolved === null ? "" : ` in "${resolved.path}"`;
  throw new VerificationError(
    `Cannot ${ACTION}: it could not be proven that blocks of ${name}${where} are its own.` +
      `${against.join("")} "offheap verify" shows all of the evidence.`,
  );
}

function bindSource(path: string, kind: AllocatorKind, calls: MemoryCalls) {
  const message = new Uint8Array(MESSAGE_BYTES);
  const source = calls.offheap_bind(path, kind.number, message, MESSAGE_BYTES);
  if (source !== NULL) return source;
  const text = new TextDecoder().decode(message.subarray(0, message.indexOf(0)));
  if (/^\w+$/.test(text)) throw new SymbolError(path, [text]);
  throw new LibraryLoadError(`Cannot load "${path}": ${text || "there is no memory for it"}.`, [
    { origin: "path", path, outcome: text },
  ]);
}

/** Some permissions are asked for at the first use only; it must not be somebody's first block. */
function requireUse(allocator: Allocator): void {
  try {
    allocator.allocate(1).free();
  } catch (error) {
    allocator.close();
    if (isPermissionRefusal(error)) {
      throw permissionError("wrap native memory", "--allow-ffi", error);
    }
    throw error;
  }
}

/**
 * Opens an allocator for native memory, and proves by evidence that its blocks are its own. It may
 * be opened more than once; each is closed by itself.
 *
 * @throws {LibraryLoadError} when its library, or offheap's shim, cannot be found or loaded.
 * @throws {VerificationError} when its blocks could not be proven to be its own.
 * @throws {UnsupportedOperationError} when offheap hands out no blocks of it.
 * @throws {PermissionError} when the runtime does not permit FFI, reading, or the environment; Deno
 * wraps native memory with an unscoped `--allow-ffi` only.
 * @throws {UnsupportedRuntimeError} when the runtime has no foreign function interface.
 * @throws {TypeError | RangeError} for bad options.
 * @example
 * ```ts
 * import { openAllocator } from "@offheap/offheap";
 *
 * const memory = openAllocator({ allocator: "mimalloc", leaks: "all" });
 * const block = memory.allocate(4096, { alignment: 4096, zeroed: true });
 * console.log(memory.name, block.address % 4096, block.bytes[0]);
 * block.free();
 * memory.close();
 * ```
 */
export function openAllocator(options: OpenOptions = {}): Allocator {
  const own = ownOptions(ACTION, options, OPTIONS);
  requireFlag(ACTION, "debug", own.debug);
  if (own.onLeak !== undefined && typeof own.onLeak !== "function") {
    throw new TypeError(`Cannot ${ACTION}: onLeak must be a function; got ${inspect(own.onLeak)}`);
  }
  return withPermissions(LIBRARIES, () => open(own));
}

/** Opens what was asked for, by options that were checked. */
function open({ leaks, onLeak, debug = false, ...choice }: OpenOptions): Allocator {
  // That a runtime has no foreign functions is said before anything else is missing.
  ffi();
  const level = leakLevel(leaks);
  const blocks = proveOwnBlocks(ACTION, choice);
  requireProof(blocks);
  const calls = memoryCalls();
  const kind = openKind(blocks, calls);
  const allocator = new NativeAllocator({
    proven: blocks,
    calls,
    source: bindSource(blocks.resolved?.path ?? "", kind, calls),
    kind,
    counters: countersOf(blocks),
    tracker: new LeakTracker(blocks.name, level, onLeak),
    // What watches for the use of freed memory has to see that it is freed.
    keepsFreed: !WATCHFUL.has(blocks.resolved?.manifest?.variant) && !debug,
    debug,
  });
  requireUse(allocator);
  return allocator;
}
