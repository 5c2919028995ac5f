/**
 * How much is tried on a push, and how much each night.
 *
 * @module
 */
import process from "node:process";
import { runtimeInfo } from "../../ffi/mod.ts";
import { skipUnless } from "./skip.ts";

/** Whether `npm test` was called with `--everywhere`, as it is each night. */
export const THOROUGH: boolean = process.env.OFFHEAP_TEST_EVERYWHERE === "1";

/**
 * A count for each run of the tests, and a greater one for each night, where more finds more: random
 * programs, and races that seldom come out.
 */
export function effort(usual: number, thorough: number): number {
  return THOROUGH ? thorough : usual;
}

const { name, version } = runtimeInfo();

/** Whether this is where what goes the same way in each runtime is tried: on a push in Node 26. */
export const IS_CHOSEN: boolean = THOROUGH || (name === "node" && Number.parseInt(version) >= 26);

/** The same where it is processes that take long: Bun's start fastest. */
export const IS_QUICKEST: boolean = THOROUGH || name === "bun";

/**
 * One of several on a push, not the same in each runtime, where each of them goes the same way in
 * all; each night all of them.
 */
export function inTurn<const T>(...all: readonly T[]): readonly T[] {
  const turn = name === "node" ? Number(!IS_CHOSEN) : Number(name === "bun");
  return THOROUGH ? all : [all[turn % all.length] as T];
}

/**
 * The options of a test that takes long and goes the same way in each runtime: each night it runs in
 * all of them, on a push in Node 26. Whole files have a rule in `scripts/testing/left-out.ts`.
 *
 * @param reason Why it goes the same way.
 * @param options What the test needs besides: where that skips it, that is the reason.
 */
export function onceAPush(
  reason: string,
  options: { skip: string | false } = { skip: false },
): { skip: string | false } {
  if (options.skip !== false) return options;
  return skipUnless(IS_CHOSEN, `${reason}; on a push Node 26 tries it, each night all do`);
}

/** The same on a push in Bun, for tests that start processes. */
export function onceInBun(
  reason: string,
  options: { skip: string | false } = { skip: false },
): { skip: string | false } {
  if (options.skip !== false) return options;
  return skipUnless(IS_QUICKEST, `${reason}; on a push Bun tries it, each night all do`);
}
