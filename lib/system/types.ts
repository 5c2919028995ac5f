/**
 * The contract between offheap and an operating system's dynamic linker and process information.
 * One file a system implements it; `mod.ts` picks.
 *
 * @module
 */
import type { Address } from "../../ffi/types.ts";

/** Where a symbol was found. */
export interface SymbolLocation {
  /** The symbol's address. */
  readonly address: Address;
  /** The real path of the object file that holds it; `null` when the system does not say. */
  readonly object: string | null;
}

/** The C library of this process. */
export interface CLibrary {
  /** `glibc`, `musl`, Windows' `ucrt`, or `system` where the operating system has just one. */
  readonly name: "glibc" | "musl" | "ucrt" | "system";
  /** Its version; `null` when it does not say. */
  readonly version: string | null;
}

/** Addresses that no allocator hands out, as negative controls for questions of ownership. */
export interface ControlAddress {
  /** What it is, such as `the stack`. */
  readonly what: string;
  /** The address. */
  readonly address: Address;
}

/** Memory as negative controls, to be given back. */
export interface ControlMemory {
  /** The addresses. */
  readonly addresses: readonly ControlAddress[];
  /** Gives it back. */
  close(): void;
}

/** What follows the path of a mapped file that was removed or replaced since, as on Linux. */
export const REPLACED = " (deleted)";

/** How a system's own allocator is asked about a block. */
export interface SystemHeap {
  /** The question, for reports. */
  readonly question: string;
  /** Whether its `malloc` gave out the block at an address; any readable address may be asked. */
  owns(address: Address): boolean;
  /** Ends the use of its functions. */
  close(): void;
}

/** What each operating system offers. */
export interface SystemPort {
  /** The C library of this process. */
  libc(): CLibrary;
  /**
   * The symbol that the process's global search order finds; `null` when there is none. On Windows,
   * which has no such order, that of the C runtime.
   */
  findSymbol(name: string): SymbolLocation | null;
  /** The symbol of that name in one loaded object; `null` when it, or the object, is not there. */
  findSymbolIn(object: string, name: string): SymbolLocation | null;
  /** The real path of this process's program. */
  executable(): string;
  /** Addresses outside of every heap. */
  controlAddresses(): readonly ControlAddress[];
  /** Memory that no allocator but the C library's own gave, for as long as it is held. */
  holdControlMemory(): ControlMemory;
  /**
   * The real paths of the files mapped into this process; of a file that was removed or replaced
   * since, with {@linkcode REPLACED} after its path.
   *
   * @throws {PermissionError} when the runtime does not permit to read them.
   */
  mappedFiles(): ReadonlySet<string>;
  /**
   * Maps a fresh page that no allocator owns, at an address from `base` to `base + span`; `null`
   * when nothing is free there. The caller unmaps it with {@linkcode SystemPort.unmapPage}.
   */
  mapPageWithin(base: Address, span: number): Address | null;
  /** Gives such a page back. */
  unmapPage(page: Address): void;
  /** The size of a page of memory, in bytes. */
  pageSize(): number;
  /**
   * Whether the object that defines `malloc` is the one that serves it. Not on macOS, where another
   * allocator puts a zone of its own before the system's and leaves `malloc` where it is.
   */
  readonly mallocShowsServer: boolean;
  /** Opens the questions to the system's own allocator; `null` where the C library answers them. */
  readonly openSystemHeap: (() => SystemHeap) | null;
}
