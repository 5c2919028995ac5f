/**
 * Runs random programs until so many operations were done.
 *
 * @module
 */
import assert from "node:assert/strict";
import { writeSync } from "node:fs";
import process from "node:process";
import fc from "fast-check";
import { runtimeInfo } from "../../../ffi/mod.ts";
import type { OpenOptions } from "../../../mod.ts";
import { effort } from "../effort.ts";
import { nativeBytes } from "./native.ts";
import { type Program, programs } from "./operation.ts";
import { runProgram, STEPS, type Tally, type Watch } from "./program.ts";

/** The environment variables of the model test. */
const MODEL_VARIABLES = {
  /** How many operations are done against each library; what the test asks for without it. */
  operations: "OFFHEAP_MODEL_OPERATIONS",
  /** The seed, or a seed and fast-check's path after a colon: only that program is run then. */
  seed: "OFFHEAP_MODEL_SEED",
  /** Any value: each operation is printed before it is done, for crashes. */
  trace: "OFFHEAP_MODEL_TRACE",
} as const;

/** Programs of one seed: a thousand operations each, more or less. */
const PROGRAMS = effort(5, 50);

/** So many times what is wanted may be done until each kind of operation has come up. */
const MAX_OPERATIONS = 5;

/**
 * No seed takes longer than this, in milliseconds: it takes a few seconds, and the rest is for
 * making a failing program small, which has no end for one that fails but once.
 */
const SEED_LIMIT = 90_000;

/** A report is cut to so many characters; the seed gives all of it. */
const REPORT_LENGTH = 10_000;

/** What was run. */
export interface ModelRun {
  /** Operations that did something. */
  readonly operations: number;
  /** The same for each kind of operation. */
  readonly tally: ReadonlyMap<string, number>;
  /** Whether a single program was run again: nothing can be said of the counts then. */
  readonly replayed: boolean;
}

interface Start {
  readonly seed: number;
  readonly path?: string;
}

/** The seed that is asked for, or one that nobody has chosen. */
function readStart(): Start {
  const text = process.env[MODEL_VARIABLES.seed];
  if (text === undefined) return { seed: Math.floor(Math.random() * 2 ** 31) };
  const [, seed, path] = /^(-?\d+)(?::([\d:]+))?$/.exec(text) ?? [];
  assert.ok(seed !== undefined, `${MODEL_VARIABLES.seed} must be SEED or SEED:PATH; got "${text}"`);
  return path === undefined ? { seed: Number(seed) } : { seed: Number(seed), path };
}

/** How many operations are to be done. */
export function wantedOperations(usual: number): number {
  const text = process.env[MODEL_VARIABLES.operations];
  const count = Number(text ?? usual);
  const said = `${MODEL_VARIABLES.operations} must be a whole number above 0; got "${text}"`;
  assert.ok(Number.isSafeInteger(count) && count > 0, said);
  return count;
}

async function requireNoDifference(
  title: string,
  property: fc.IAsyncProperty<[Program]>,
  { seed, path }: Start,
): Promise<void> {
  // Beforehand, as a crash leaves no time for it.
  console.log(`# model of ${title}: ${MODEL_VARIABLES.seed}=${seed}${path ? `:${path}` : ""}`);
  const replay = path === undefined ? {} : { path, endOnFailure: true };
  const limits = { numRuns: PROGRAMS, interruptAfterTimeLimit: SEED_LIMIT };
  const found = await fc.check(property, { seed, ...limits, ...replay });
  if (!found.failed) return;
  const report = await fc.asyncDefaultReportMessage(found) ?? "";
  const command = `npm test -- memory-model --runtime ${runtimeName()}`;
  throw new Error(
    `The model and ${title} differ. To see it again:\n` +
      `${MODEL_VARIABLES.seed}=${found.seed}:${found.counterexamplePath} ${command}\n` +
      "or, when it takes what the programs before it left in memory:\n" +
      `${MODEL_VARIABLES.seed}=${seed} ${command}\n${report.slice(0, REPORT_LENGTH)}`,
    { cause: found.errorInstance },
  );
}

/** The runtime's name as `npm test` takes it. */
function runtimeName(): string {
  const { name, version } = runtimeInfo();
  return name === "node" ? `node${Number.parseInt(version)}` : name;
}

/** Programs as a property, which holds while none of them finds a difference. */
function propertyOf(options: OpenOptions, tally: Tally): fc.IAsyncProperty<[Program]> {
  const trace = process.env[MODEL_VARIABLES.trace] !== undefined;
  let differs = false;
  const watch: Watch = {
    tally,
    trace,
    onDifference(error) {
      if (differs) return;
      differs = true;
      // At once, as memory that two pieces share may end the process when it is given back.
      writeSync(2, `# difference: ${error instanceof Error ? error.stack : error}\n`);
    },
  };
  const weights = Object.entries(STEPS).map(([kind, [weight]]) => [kind, weight] as const);
  return fc.asyncProperty(programs(weights), (program) => runProgram(options, program, watch));
}

/** What the secure variant's layer may hold back of freed blocks: RING_BYTES and others in guard.c. */
const HELD_BACK = 32 * 2 ** 20;

/** Operations that were never done. */
function missingKinds(tally: ModelRun["tally"]): string[] {
  return Object.keys(STEPS).filter((kind) => !tally.has(kind));
}

/**
 * Runs programs against a library until so many operations were done, and each kind of them.
 *
 * @throws {Error} for the first program that finds a difference, made as small as could be.
 */
export async function runModel(
  title: string,
  options: OpenOptions,
  wanted: number,
): Promise<ModelRun> {
  const start = readStart();
  const replayed = start.path !== undefined;
  const tally: Tally = new Map();
  const property = propertyOf(options, tally);
  const before = nativeBytes(options);
  let operations = 0;
  const isEnough = () =>
    operations >= wanted * (missingKinds(tally).length === 0 ? 1 : MAX_OPERATIONS);
  for (let round = 0; !isEnough(); round++) {
    await requireNoDifference(title, property, { ...start, seed: start.seed + round });
    operations = [...tally.values()].reduce((sum, count) => sum + count, 0);
    if (replayed) break;
  }
  // Both are null where the allocator does not count.
  const left = (nativeBytes(options) ?? 0) - (before ?? 0);
  const held = options.variant === "secure" ? HELD_BACK : 0;
  assert.ok(left >= 0 && left <= held, `${left} bytes that ${title} has in use in the end`);
  if (!replayed) console.log(`# model of ${title}: ${operations} operations`);
  return { operations, tally, replayed };
}

/** Programs did so many operations, and of each kind some. */
export function requireCoverage({ operations, tally, replayed }: ModelRun, wanted: number): void {
  if (replayed) return;
  assert.ok(operations >= wanted, `${operations} operations`);
  assert.deepEqual(missingKinds(tally), [], "operations that were never done");
}

/** The limit of a test that is asked for more than it usually does: a day. */
export function modelLimit(): { readonly timeout?: number } {
  return process.env[MODEL_VARIABLES.operations] === undefined ? {} : { timeout: 86_400_000 };
}
