/**
 * Skipping with a reason that is seen in every runtime.
 *
 * @module
 */

/**
 * The options of a test that runs only where `condition` holds. Deno's and Bun's reporters leave
 * out why a test was skipped, so the reason is printed here; `npm test` puts the two together.
 *
 * @example
 * ```ts
 * test("reads its own maps", skipUnless(process.platform === "linux", "needs /proc"), () => {});
 * ```
 */
export function skipUnless(condition: boolean, reason: string): { skip: string | false } {
  if (condition) return { skip: false };
  console.log(`# skip: ${reason}`);
  return { skip: reason };
}
