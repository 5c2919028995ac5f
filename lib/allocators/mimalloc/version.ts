/**
 * mimalloc's version number.
 *
 * @module
 */

/** What `major` and `minor` are multiplied by, from the number on that has so many digits. */
const PACKINGS = [
  { from: 10_000, major: 10_000, minor: 100 },
  { from: 1000, major: 1000, minor: 100 },
  { from: 0, major: 100, minor: 10 },
] as const;

/**
 * The version that `mi_version()` encodes: with one digit each up to 2.2 and 3.0.9 (209 is 2.0.9),
 * with two for the patch from 3.0.10 on (3012 is 3.0.12), with two for the minor version as well from
 * 2.3 and 3.3 on (20401 is 2.4.1).
 *
 * @throws {RangeError} for a number that is neither.
 */
export function decodeMimallocVersion(packed: number): string {
  const { major, minor } = PACKINGS.find(({ from }) => packed >= from) ?? PACKINGS[2];
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
