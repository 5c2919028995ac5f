/**
 * Damaged copies of a file, the same ones in each run.
 *
 * @module
 */
import assert from "node:assert/strict";

/** Gives the numbers below a limit, one after the other. */
function randomNumbers(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % limit;
  };
}

/**
 * Reads many damaged copies: some bytes of the first `reach` are others. Each must be read, or be
 * refused by an error of the class.
 *
 * @returns How many were refused.
 */
export function readDamaged(
  original: Uint8Array,
  reach: number,
  rounds: number,
  read: (bytes: Uint8Array) => void,
  refusal: new (message: string) => Error,
): number {
  const random = randomNumbers(12345);
  let refused = 0;
  for (let round = 0; round < rounds; round++) {
    const bytes = Uint8Array.from(original);
    // The first four bytes say that it is a file of its kind.
    for (let count = 0; count < 4; count++) bytes[4 + random(reach - 4)] = random(256);
    try {
      read(bytes);
    } catch (error) {
      assert.ok(error instanceof refusal, `round ${round}: ${String(error)}`);
      refused++;
    }
  }
  return refused;
}
