/**
 * The adapter for Node without `node:ffi`: the npm package koffi.
 *
 * @module
 */
import process from "node:process";
import { collectGarbage } from "../collect-garbage.ts";
import {
  encodeCString,
  libraryOpener,
  nameTypes,
  type ParameterConversions,
  pointerReader,
  type RawFunction,
  type RawLibrary,
  type ResultConversions,
  toExactNumber,
  viewOrNull,
  widenToBigInt,
} from "../bind-library.ts";
import { packageUsers, requireFrom } from "../packages.ts";
import type { Adapter, Address, NativePointer, RuntimeInfo, SymbolSignature } from "../types.ts";
import { nodeApiBuffers } from "./node-addon.ts";
import { cNames, load, START_CHANGES } from "./node-common.ts";

/** The part of koffi that this adapter uses. */
interface Koffi {
  load(path: string | null): KoffiLibrary;
  address(viewOrPointer: object): bigint | number;
  view(address: number, length: number): ArrayBuffer;
}

interface KoffiLibrary {
  func(name: string, result: string, parameters: readonly string[]): RawFunction;
  unload(): void;
}

const PARAMETERS: ParameterConversions = {
  ...cNames("_t"),
  long: { native: "long" },
  usize: { native: "uint64_t" },
  pointer: { native: "uint64_t" },
  buffer: { native: "void *", convert: viewOrNull },
  cstring: { native: "void *", convert: encodeCString },
};

const RESULTS: ResultConversions = {
  ...cNames("_t"),
  long: { native: "long", convert: toExactNumber },
  i64: { native: "int64_t", convert: widenToBigInt },
  u64: { native: "uint64_t", convert: widenToBigInt },
  usize: { native: "uint64_t", convert: toExactNumber },
  pointer: { native: "uint64_t", convert: toExactNumber },
};

/** The name of koffi's ready-made package for a system; it needs no install script. */
export function koffiPackage(platform: string, arch: string): string {
  return `@koromix/koffi-${platform}-${arch}`;
}

/**
 * Loads koffi: its ready-made package, which comes with offheap, or the one that a user installed.
 *
 * @throws what Node throws when neither is there, or the first that is there does not load.
 */
export function requireKoffi(): unknown {
  const names = [koffiPackage(process.platform, process.arch), "koffi"];
  let missing: unknown = new Error("there is no place from which packages could be found");
  for (const require of packageUsers().map(requireFrom)) {
    for (const name of names) {
      let path;
      try {
        path = require.resolve(name);
      } catch (error) {
        if (!isMissing(error)) throw error;
        missing = error;
        continue;
      }
      return require(path);
    }
  }
  throw missing;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "MODULE_NOT_FOUND";
}

function find(
  library: KoffiLibrary,
  symbol: string,
  signature: SymbolSignature,
): RawFunction | undefined {
  const { parameters, result } = nameTypes(signature, PARAMETERS, RESULTS);
  try {
    return library.func(symbol, result, parameters);
  } catch (error) {
    if (error instanceof Error && error.message.startsWith("Cannot find function")) {
      return undefined;
    }
    throw error;
  }
}

function openFile(koffi: Koffi, path: string | null): RawLibrary {
  const library = load(path, "--allow-addons", () => koffi.load(path));
  return {
    find: (symbol, signature) => find(library, symbol, signature),
    close: () => library.unload(),
  };
}

/** The adapter over the npm package koffi. */
export function createKoffiAdapter(runtime: RuntimeInfo, module: unknown): Adapter {
  const koffi = module as Koffi;
  return {
    ...nodeApiBuffers((address, length) => koffi.view(address, length)),
    runtime,
    backend: "koffi",
    startChanges: START_CHANGES,
    open: libraryOpener((file) => openFile(koffi, file), PARAMETERS, RESULTS),
    addressOf: (view) => toExactNumber(koffi.address(view)) as Address,
    pointer: (address) => BigInt(address) as unknown as NativePointer,
    collectGarbage,
    pointerAddress: pointerReader((pointer) => koffi.address(pointer)),
  };
}
