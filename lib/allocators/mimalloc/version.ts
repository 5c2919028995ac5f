/**
 * mimalloc's version number.
 *
 * @module
 */

/**
 * The version that `mi_version()` encodes. mimalloc up to 2.1 packs it as
 * `major*100 + minor*10 + patch` (209 is 2.0.9), later ones as
 * `major*10000 + minor*100 + patch` (20401 is 2.4.1).
 *
 * @throws {RangeError} for a number that is neither.
 */
export function decodeMimallocVersion(packed: number): string {
  const [major, minor] = packed < 10_000 ? [100, 10] : [10_000, 100];
  const version = [
    Math.floor(packed / major),
    Math.floor(packed / minor) % (major / minor),
    packed % minor,
  ];
  if (!Number.isSafeInteger(packed) || packed < 100 || packed >= 1_000_000) {
    throw new RangeError(
      `Cannot decode a mimalloc version: mi_version() must give 100 to 999999; got ${packed}`,
    );
  }
  return version.join(".");
}
