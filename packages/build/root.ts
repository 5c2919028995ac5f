/**
 * The C that is offheap's own.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { BuildError } from "../../lib/errors.ts";

/**
 * The directory of offheap's own C.
 *
 * @throws {BuildError} when this code was not loaded from files.
 */
export function ownSources(): string {
  const url = new URL("../../ffi/native/", import.meta.url);
  if (url.protocol === "file:") return fileURLToPath(url);
  throw new BuildError(
    `Cannot build: the sources of offheap are at ${url.protocol}, and a build needs them as ` +
      "files. Build from the npm package or a checkout.",
  );
}
