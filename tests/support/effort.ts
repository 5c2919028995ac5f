/**
 * How much is tried on a push, and how much each night.
 *
 * @module
 */
import process from "node:process";
import { runtimeInfo } from "../../ffi/mod.ts";
import { NOT_SKIPPED, type Skipping, skipUnless } from "./skip.ts";

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

/** Whether a run leaves nothing to other runtimes: of a night, or of one runtime alone. */
const ALL: boolean = THOROUGH || process.env.OFFHEAP_TEST_ALONE === "1";

/** Whether this is where what goes the same way in each runtime is tried: on a push in Node 26. */
export const IS_CHOSEN: boolean = ALL || (name === "node" && Number.parseInt(version) >= 26);

/** Whether this is where what starts many processes is tried: on a push in Bun, the quickest to start. */
export const IS_QUICKEST: boolean = ALL || name === "bun";

/**
 * One of several on a push, another in the next runtime, where each of them goes the same way in all;
 * each night all of them.
 */
export function inTurn<const T>(...all: readonly T[]): readonly T[] {
  const places = ["node", "bun", "deno"];
  const turn = IS_CHOSEN || name !== "node" ? places.indexOf(name) : places.length;
  return ALL ? all : [all[turn % all.length] as T];
}

/**
 * The options of a test that takes long and goes the same way in each runtime: each night it runs in
 * all of them, on a push in Node 26. Whole files have a rule in `scripts/testing/left-out.ts`.
 *
 * @param reason Why it goes the same way.
 * @param options What the test needs besides: where that skips it, that is the reason.
 */
export function onceAPush(reason: string, options: Skipping = NOT_SKIPPED): Skipping {
  return onlyWhere(IS_CHOSEN, `${reason}; on a push Node 26 tries it, each night all do`, options);
}

/** The same of a test that starts many processes: on a push it runs in Bun. */
export function onceInBun(reason: string, options: Skipping = NOT_SKIPPED): Skipping {
  return onlyWhere(IS_QUICKEST, `${reason}; on a push Bun tries it, each night all do`, options);
}

function onlyWhere(isHere: boolean, reason: string, options: Skipping): Skipping {
  return options.reason === null ? skipUnless(isHere, reason) : options;
}
