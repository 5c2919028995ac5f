/**
 * Versions in their order.
 *
 * @module
 */

const VERSION = /^v?(\d{1,3})\.(\d{1,3})(?:\.(\d{1,3}))?(?!\d)/;

/** A version's first three numbers as one that can be compared; `null` for what is no version. */
export function versionRank(version: string): number | null {
  const match = VERSION.exec(version);
  if (match === null) return null;
  const [, major, minor, patch = 0] = match;
  return (Number(major) * 1000 + Number(minor)) * 1000 + Number(patch);
}

/** Below 0 when the first is older, above 0 when it is newer. Both must be versions. */
export function compareVersions(first: string, second: string): number {
  return (versionRank(first) ?? 0) - (versionRank(second) ?? 0);
}
