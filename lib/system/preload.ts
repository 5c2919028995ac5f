/**
 * How each system is asked to load libraries before those that a program names.
 *
 * @module
 */

/** The dynamic linker's variable, by platform; a system without one has no preload. */
export const PRELOAD_VARIABLES = {
  linux: "LD_PRELOAD",
  android: "LD_PRELOAD",
  freebsd: "LD_PRELOAD",
  darwin: "DYLD_INSERT_LIBRARIES",
} as const satisfies Partial<Record<NodeJS.Platform, string>>;

/** The variable of a platform; `undefined` where there is no preload. */
export function preloadVariable(platform: string): string | undefined {
  return Object.entries(PRELOAD_VARIABLES).find(([name]) => name === platform)?.[1];
}
