/**
 * Where this code comes from, and which packages can be found from there: a checkout, an npm
 * package, a URL, a bundle.
 *
 * @module
 */
import { isAbsolute } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { installedPackage, isStandalone } from "../../ffi/mod.ts";

/** This module's place in a checkout. A bundle has another, or none. */
const OWN_PLACE = "/lib/library/origins.ts";

/** This checkout's root; `null` when this module was not loaded from one. */
export function checkoutRoot(): string | null {
  const url = import.meta.url;
  const isFile = url.startsWith("file:") && url.endsWith(OWN_PLACE);
  if (!isFile || url.includes("/node_modules/") || isStandalone()) return null;
  return fileURLToPath(new URL("../../", url));
}

/**
 * The modules from which the platform package may be found: this one, and the program. Packages
 * below the working directory do not count: whoever can write there is not who wrote the program.
 */
function packageUsers(): string[] {
  const users = import.meta.url.startsWith("file:") ? [import.meta.url] : [];
  const program = process.argv[1];
  return program !== undefined && isAbsolute(program) ? [...users, program] : users;
}

/**
 * The directories of a platform package. One that the program imports tells its own directory, by
 * a symbol: where this module comes from a URL, or was bundled, there may be no other way to it.
 */
export function packageDirectories(name: string): string[] {
  const told: unknown = Reflect.get(globalThis, Symbol.for(name));
  const found = packageUsers().map((user) => installedPackage(name, user));
  return [...new Set([told, ...found])].filter((path): path is string =>
    typeof path === "string" && isAbsolute(path)
  );
}
