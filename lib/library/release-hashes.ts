/**
 * What the platform packages of this release hold, by sha256. It is empty in a checkout: the
 * release build rewrites this file (`scripts/npm/release-hashes.ts`), in the npm package and on
 * JSR alike, so that the main package's own signature covers every library.
 *
 * @module
 */

/** For each target, the sha256 of each library and manifest by its path within the package. */
export type ReleaseHashes = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** The table; without a row, as in a checkout, a library's manifest is all that it must agree with. */
export const RELEASE_HASHES: ReleaseHashes = {};
