/**
 * How much is tried where more finds more: random programs, and races that seldom come out.
 *
 * @module
 */
import process from "node:process";

/** Whether `npm test` was called with `--everywhere`, as it is each night. */
export const THOROUGH: boolean = process.env.OFFHEAP_TEST_EVERYWHERE === "1";

/** A count for each run of the tests, and a greater one for each night. */
export function effort(usual: number, thorough: number): number {
  return THOROUGH ? thorough : usual;
}
