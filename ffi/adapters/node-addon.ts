/**
 * The shim as an addon of Node, by Node-API (`ffi/native/node-api.c`): buffers over native memory for
 * koffi's adapter, and an adapter for `offheap run`, which needs a few calls and no koffi, whose
 * loading would take a tenth of a launch.
 *
 * @module
 */
import process from "node:process";
import { collectGarbage } from "../collect-garbage.ts";
import {
  encodeCString,
  libraryOpener,
  loadError,
  moveBuffer,
  nameTypes,
  type ParameterConversions,
  refusePointer,
  type ResultConversions,
  toExactNumber,
  viewOrNull,
} from "../bind-library.ts";
import { isUnmarked, markAsUntransferable } from "../threads.ts";
import type { Adapter, Address, NativePointer, RuntimeInfo } from "../types.ts";
import { load, START_CHANGES } from "./node-common.ts";

/** Makes a buffer; `undefined` when Node makes none. */
type Wrap = (address: number, length: number) => ArrayBuffer | undefined;

/** What the shim has for Node. */
interface Addon {
  readonly wrap: Wrap;
  /** The address of a typed array's first byte. */
  address(view: ArrayBufferView): bigint;
  /**
   * Calls a function of the shim or of the program that takes whole numbers and typed arrays;
   * `undefined` when there is none of this name.
   */
  call(name: string, ...values: unknown[]): bigint | undefined;
}

/**
 * Loads the shim as an addon.
 *
 * @throws {PermissionError} when the permission model does not permit addons.
 * @throws {LibraryLoadError} when it cannot be loaded.
 */
function loadAddon(path: string): Addon {
  const addon: { exports: Partial<Addon> } = { exports: {} };
  load(path, "--allow-addons", () => process.dlopen(addon, path));
  const { wrap, address, call } = addon.exports;
  if (wrap !== undefined && address !== undefined && call !== undefined) {
    return { wrap, address, call };
  }
  throw loadError(path, new Error("Node lacks a function of Node-API that it needs"));
}

/** Whether a buffer that is marked as untransferable can still be detached by its owner. */
function marksCanBeDetached(): boolean {
  const buffer = new ArrayBuffer(1);
  markAsUntransferable(buffer);
  try {
    moveBuffer(buffer);
    return true;
  } catch {
    return false;
  }
}

/**
 * Buffers by Node-API.
 *
 * @param make Makes them until there is the shim, which does from then on.
 */
export function nodeApiBuffers(
  make: Wrap,
): Pick<Adapter, "wrap" | "rewrap" | "detachable" | "useShim"> {
  const wrap = (address: Address, length: number): ArrayBuffer => {
    const buffer = make(address, length);
    if (buffer !== undefined) return buffer;
    throw new RangeError(`Node makes no buffer over ${length} bytes`);
  };
  const useShim = (path: string): void => {
    make = loadAddon(path).wrap;
  };
  if (!marksCanBeDetached()) {
    // Node 24: the mark that Node-API sets is another one, and moved buffers have none.
    return {
      wrap: (address, length) => moveBuffer(wrap(address, length)),
      rewrap: moveBuffer,
      detachable: isUnmarked,
      useShim,
    };
  }
  return {
    wrap,
    rewrap(buffer) {
      const moved = moveBuffer(buffer);
      // As those that Node-API makes are.
      markAsUntransferable(moved);
      return moved;
    },
    detachable: () => true,
    useShim,
  };
}

const WHOLE = { native: "register" };

/** A signed result of C's `int` or `long`, from a register. */
const SIGNED = (bits: number) => (value: unknown) => BigInt.asIntN(bits, value as bigint);

const PARAMETERS: ParameterConversions = {
  i32: WHOLE,
  i64: WHOLE,
  long: WHOLE,
  usize: WHOLE,
  buffer: { native: "register", convert: (view) => viewOrNull(view) ?? 0 },
  cstring: { native: "register", convert: encodeCString },
};

const RESULTS: ResultConversions = {
  i32: { native: "register", convert: (value) => Number(SIGNED(32)(value)) },
  i64: { native: "register", convert: SIGNED(64) },
};

/**
 * The adapter that `offheap run` has in Node without `node:ffi`: it calls the C library's functions
 * and the shim's, by the types above and no others.
 */
export function createAddonAdapter(runtime: RuntimeInfo, shim: string): Adapter {
  const addon = loadAddon(shim);
  return {
    ...nodeApiBuffers(addon.wrap),
    runtime,
    backend: "addon",
    startChanges: START_CHANGES,
    open: libraryOpener(
      () => ({
        find(symbol, signature) {
          const { parameters, result } = nameTypes(signature, PARAMETERS, RESULTS);
          if ([...parameters, result].some((type) => type !== "register")) {
            throw new TypeError(`Cannot bind ${symbol}: the shim calls by whole numbers alone`);
          }
          return (...values) => {
            const answer = addon.call(symbol, ...values);
            if (answer !== undefined) return answer;
            throw new TypeError(`Cannot call ${symbol}: the shim does not find it`);
          };
        },
        close() {
          // An addon stays loaded until its process ends.
        },
      }),
      PARAMETERS,
      RESULTS,
    ),
    addressOf: (view) => toExactNumber(addon.address(view)) as Address,
    pointer: (address) => BigInt(address) as unknown as NativePointer,
    collectGarbage,
    pointerAddress: refusePointer,
  };
}
