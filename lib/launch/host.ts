/**
 * What launching asks the system beyond files.
 *
 * @module
 */
import { libcLibrary, XATTR_SYMBOLS } from "../../ffi/libc.ts";
import { foreign } from "../../ffi/mod.ts";
import type { LaunchHost } from "./types.ts";

const CAPABILITIES = "security.capability";

function fileCapabilities(path: string): boolean {
  const { calls, close } = foreign().open(libcLibrary(), XATTR_SYMBOLS);
  const bytes = calls.getxattr(path, CAPABILITIES, null, 0);
  close();
  return bytes > 0n;
}

/** The running system. */
export const HOST: LaunchHost = { fileCapabilities };
