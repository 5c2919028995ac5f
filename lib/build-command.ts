/**
 * How the libraries are built where no package has them. The build is a package of its own, and this
 * one calls nothing of it.
 *
 * @module
 */
import { BUILD_PACKAGE } from "../ffi/packages.ts";
import { VERSION } from "./version.ts";

/** The command that builds the libraries of this version into the user's cache. */
export const BUILD_COMMAND: string = `npx ${BUILD_PACKAGE}@${VERSION}`;
