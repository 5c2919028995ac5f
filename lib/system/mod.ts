/**
 * The one place that picks an operating system's port.
 *
 * @module
 */
import process from "node:process";
import { UnsupportedRuntimeError } from "../errors.ts";
import { DARWIN } from "./darwin.ts";
import { LINUX } from "./linux.ts";
import { WIN32 } from "./win32.ts";
import type { SystemPort } from "./types.ts";

const PORTS: Readonly<Partial<Record<NodeJS.Platform, SystemPort>>> = {
  linux: LINUX,
  darwin: DARWIN,
  win32: WIN32,
};

/**
 * This operating system's port.
 *
 * @throws {UnsupportedRuntimeError} on a system that offheap has no port for.
 */
export function system(): SystemPort {
  const port = PORTS[process.platform];
  if (port === undefined) {
    throw new UnsupportedRuntimeError(
      `Cannot look into this process: offheap has no port for "${process.platform}"; ` +
        `it has ${Object.keys(PORTS).join(", ")}.`,
    );
  }
  return port;
}
