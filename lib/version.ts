/**
 * This version of offheap.
 *
 * @module
 */

/** The version; `package.json` and `deno.json` have the same, which a test checks. */
export const VERSION = "0.1.0";
