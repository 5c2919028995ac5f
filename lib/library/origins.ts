/**
 * Where this code comes from, and which packages can be found from there: a checkout, an npm
 * package, a URL, a bundle.
 *
 * @module
 */
import { isAbsolute } from "node:path";
import { fileURLToPath } from "node:url";
import { isStandalone, resolverInstalls } from "../../ffi/mod.ts";
import { installedPackage, packageUsers } from "../../ffi/packages.ts";

/** This module's place in a checkout. A bundle has another, or none. */
const OWN_PLACE = "/lib/library/origins.ts";

/** This checkout's root; `null` when this module was not loaded from one. */
export function checkoutRoot(): string | null {
  // A bundler may leave nothing in its place.
  const url: string | undefined = import.meta.url;
  const isFile = url?.startsWith("file:") === true && url.endsWith(OWN_PLACE);
  if (!isFile || url.includes("/node_modules/") || isStandalone()) return null;
  return fileURLToPath(new URL("../../", url));
}

/**
 * The directories of a platform package. One that the program imports gives its own directory, by
 * a symbol: where this module comes from a URL, or was bundled, there may be no other way to it.
 */
export function packageDirectories(name: string): string[] {
  const given: unknown = Reflect.get(globalThis, Symbol.for(name));
  const resolve = !resolverInstalls();
  const found = packageUsers().map((user) => installedPackage(name, user, resolve));
  return [...new Set([given, ...found])].filter((path): path is string =>
    typeof path === "string" && isAbsolute(path)
  );
}
