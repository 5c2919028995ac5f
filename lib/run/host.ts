/**
 * What launching asks the system beyond files.
 *
 * @module
 */
import process from "node:process";
import { libcLibrary, XATTR_SYMBOLS } from "../../ffi/symbols/libc.ts";
import { ffi } from "../../ffi/mod.ts";
import { launchPlatform } from "./platforms.ts";
import type { LaunchHost } from "./types.ts";

const CAPABILITIES = "security.capability";

/** Systems whose files can carry capabilities. */
const WITH_CAPABILITIES: ReadonlySet<string> = new Set(["linux", "android"]);

function fileCapabilities(path: string): boolean {
  if (!WITH_CAPABILITIES.has(process.platform)) return false;
  const { calls, close } = ffi().open(libcLibrary(), XATTR_SYMBOLS);
  const bytes = calls.getxattr(path, CAPABILITIES, null, 0);
  close();
  return bytes > 0n;
}

/**
 * The running system.
 *
 * @throws {LaunchError} where there is no way to preload.
 */
export function launchHost(): LaunchHost {
  return { fileCapabilities, platform: launchPlatform(), arch: process.arch };
}
