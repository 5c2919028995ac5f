/**
 * What verification asks of an allocator, whatever its kind.
 *
 * @module
 */
import type { Address } from "../../ffi/types.ts";
import { BUILD_COMMAND } from "../build-command.ts";

/** The questions that an allocator's own functions answer. */
export interface AllocatorProbe {
  /** The symbol that identifies it. */
  readonly symbol: string;
  /**
   * The name by which offheap's shim knows it, which asks it about every entry point; `null` for one
   * that it does not know.
   */
  readonly shimName: string | null;
  /** Its version; throws when the answer is not one. `null` for one that reports none. */
  readonly version: (() => string) | null;
  /** How it is asked for ownership, for reports. */
  readonly ownershipQuestion: string;
  /**
   * How large the aligned region around one of its own blocks is, in bytes, within which it can be
   * asked about any address; `null` when it can be asked about every address. With a region, it is
   * asked only after its counter has proven that the blocks are its own.
   */
  readonly askableRegion: number | null;
  /** Whether it owns the block of `size` requested bytes at an address. */
  owns(address: Address, size: number): boolean;
  /** The name of its counter, for reports. */
  readonly counterName: string;
  /** What the counter counts: only `thread` is free of what other threads do meanwhile. */
  readonly counterScope: "thread" | "process";
  /** The size, in bytes, whose allocation moves the counter visibly. */
  readonly counterBytes: number;
  /** Bytes that it counts; throws when it does not count in this build. */
  counter(): bigint;
  /** Ends the use of its functions. */
  close(): void;
}

/** Where a probe's blocks come from. */
export interface BlockSource {
  /** A block of at least `size` bytes, or 0. */
  allocate(size: number): Address;
  /** Gives it back. */
  free(address: Address): void;
}

/** A library that is open: what it answers, and its blocks. Closing the probe ends both. */
export interface OpenedLibrary {
  /** Its answers. */
  readonly probe: AllocatorProbe;
  /** Its own functions to allocate and to free. */
  readonly blocks: BlockSource;
}

/**
 * Why something of the evidence is not known where offheap's shim is missing, as a clause.
 *
 * @param does What the shim does, such as `reads it`.
 */
export function withoutShim(does: string): string {
  return `offheap's own library (liboffheap), which ${does}, was not found; "${BUILD_COMMAND}" builds it`;
}
