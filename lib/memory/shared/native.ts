/**
 * The shim's memory functions, opened once a thread.
 *
 * @module
 */
import { ffi } from "../../../ffi/mod.ts";
import { MEMORY_SYMBOLS, SHIM_SYMBOLS } from "../../../ffi/symbols/shim.ts";
import type { MemoryCalls } from "../../allocators/memory.ts";
import { LibraryLoadError } from "../../errors.ts";
import { BUILD_COMMAND } from "../../build-command.ts";
import { resolveLibrary } from "../../library/resolve.ts";

/** The version of the shim's binary interface that this code calls: `ABI_VERSION` in offheap.c. */
const ABI_VERSION = 7;

let shim: string | undefined;
let opened: MemoryCalls | undefined;

function requireVersion(path: string): void {
  const { offheap_abi_version } = SHIM_SYMBOLS;
  const { calls, close } = ffi().open(path, { offheap_abi_version });
  const version = calls.offheap_abi_version();
  close();
  if (version === ABI_VERSION) return;
  throw new LibraryLoadError(
    `Cannot use offheap's shim "${path}": its interface is version ${version}, and this offheap ` +
      `needs version ${ABI_VERSION}. Build it again with "${BUILD_COMMAND} --force".`,
    [{ origin: "path", path, outcome: `interface version ${version}` }],
  );
}

/**
 * The shim's path; from then on this runtime takes from it what its own way does worse.
 *
 * @throws {LibraryLoadError} when there is no shim, or one of another version.
 * @throws {PermissionError} when the runtime does not permit FFI or reading.
 */
export function requireShim(): string {
  if (shim !== undefined) return shim;
  const { path } = resolveLibrary({ name: "offheap" });
  requireVersion(path);
  ffi().useShim?.(path);
  shim = path;
  return path;
}

/**
 * The shim's functions.
 *
 * @throws {LibraryLoadError} when there is no shim, or one of another version.
 * @throws {PermissionError} when the runtime does not permit FFI or reading.
 */
export function memoryCalls(): MemoryCalls {
  opened ??= ffi().open(requireShim(), MEMORY_SYMBOLS).calls;
  return opened;
}
