/**
 * Run by the build in a process of its own: loads a library and prints its version.
 *
 * @module
 */
import process from "node:process";
import { JEMALLOC_PREFIX, JEMALLOC_SYMBOLS } from "../../../ffi/symbols/jemalloc.ts";
import { MIMALLOC_SYMBOLS } from "../../../ffi/symbols/mimalloc.ts";
import { ffi } from "../../../ffi/mod.ts";
import { SHIM_SYMBOLS } from "../../../ffi/symbols/shim.ts";
import { readMallctl } from "../../../lib/allocators/jemalloc/mallctl.ts";
import { decodeMimallocVersion } from "../../../lib/allocators/mimalloc/version.ts";

const VERSIONS: Readonly<Record<string, (path: string) => string>> = {
  // Such as 5.3.0-0-g54eaed1d8b56b1aa528be3bdd1877e59c56fa90c.
  jemalloc: (path) =>
    readMallctl(ffi().open(path, JEMALLOC_SYMBOLS, JEMALLOC_PREFIX).calls, "version")
      .split("-")[0] ?? "",
  mimalloc: (path) => decodeMimallocVersion(ffi().open(path, MIMALLOC_SYMBOLS).calls.mi_version()),
  offheap: (path) => `${ffi().open(path, SHIM_SYMBOLS).calls.offheap_abi_version()}`,
};

const [path = "", name = ""] = process.argv.slice(2);
const version = VERSIONS[name];
if (version === undefined) throw new TypeError(`Cannot probe "${name}": it must be a library`);
console.log(version(path));
