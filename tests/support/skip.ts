/**
 * Skipping with a reason that is seen in every runtime.
 *
 * @module
 */

/** The options of a test that may be skipped. */
export interface Skipping {
  /** Why; `null` where it is not. */
  readonly reason: string | null;
  /** The same, as `test()` has it. */
  readonly skip: string | false;
  /** Read once for each test, in each runtime; Bun (1.4) reads `skip` twice. */
  readonly todo?: false;
}

/** The options of a test that runs everywhere. */
export const NOT_SKIPPED: Skipping = { reason: null, skip: false };

/**
 * The options of a test that runs only where `condition` holds. Deno's and Bun's reporters leave
 * out why a test was skipped, so the reason is printed when a test reads its options; `npm test` puts
 * the two together, in their order.
 *
 * @example
 * ```ts
 * test("reads its own maps", skipUnless(process.platform === "linux", "needs /proc"), () => {});
 * ```
 */
export function skipUnless(condition: boolean, reason: string): Skipping {
  if (condition) return NOT_SKIPPED;
  return {
    reason,
    skip: reason,
    get todo(): false {
      console.log(`# skip: ${reason}`);
      return false;
    },
  };
}
