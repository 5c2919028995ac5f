/**
 * Programs of the model test: lists of operations as plain data, which fast-check makes and shrinks.
 *
 * @module
 */
import fc from "fast-check";
import { LEAK_LEVELS, type LeakLevel } from "../../../lib/memory/leaks.ts";

/** One step. What it does not need it passes over. */
export interface Operation {
  /** Which one: a key of the table in program.ts. */
  readonly kind: string;
  /** A size in bytes. */
  readonly size: number;
  /** A power of two. */
  readonly alignment: number;
  /** Which of what there is, counted from the newest, and which of several ways. */
  readonly pick: number;
  /** Whether memory is zeroed, a string terminated, a pool strict. */
  readonly flag: boolean;
}

/** A program, and how its allocator is opened. */
export interface Program {
  /** Whether cached memory is checked. */
  readonly debug: boolean;
  /** Which leaks are reported. */
  readonly leaks: LeakLevel;
  /** What is done. */
  readonly operations: readonly Operation[];
}

/** The largest size of an operation: well above what the allocators call small or medium. */
export const MAX_BYTES = 300_000;

/** The longest program. */
const MAX_OPERATIONS = 2000;

/** Small blocks mostly; the boundaries of magazines and of jemalloc's small classes have a share. */
const SIZES: readonly (readonly [weight: number, from: number, to: number])[] = [
  [24, 0, 64],
  [20, 0, 1100],
  [12, 1000, 9000],
  [4, 14_000, 17_000],
  [3, 32_700, 33_000],
  [3, 9000, 66_000],
  [1, 66_000, MAX_BYTES],
];

/** Sizes that come again: freed blocks are kept for the next ones of the same size. */
const COMMON_SIZES: readonly number[] = [48, 100, 256, 512, 1000, 4096, 20_000, 65_536];

const ALIGNMENTS: readonly number[] = [16, 1, 2, 4, 8, 32, 64, 128, 256, 512, 1024, 2048, 4096];

/** Random programs of operations that come up as often as their weights say. */
export function programs(weights: readonly (readonly [string, number])[]): fc.Arbitrary<Program> {
  const kinds = weights.flatMap(([kind, weight]) => Array<string>(weight).fill(kind));
  const sizes = SIZES.map(([weight, min, max]) => ({
    weight,
    arbitrary: fc.integer({ min, max }),
  }));
  const operation: fc.Arbitrary<Operation> = fc.record({
    kind: fc.constantFrom(...kinds),
    size: fc.oneof(...sizes, { weight: 20, arbitrary: fc.constantFrom(...COMMON_SIZES) }),
    alignment: fc.oneof(
      { weight: 3, arbitrary: fc.constant(16) },
      { weight: 2, arbitrary: fc.constantFrom(...ALIGNMENTS) },
    ),
    pick: fc.nat(999),
    flag: fc.boolean(),
  }, { noNullPrototype: true });
  return fc.record({
    debug: fc.boolean(),
    leaks: fc.constantFrom(...LEAK_LEVELS),
    operations: fc.array(operation, { maxLength: MAX_OPERATIONS, size: "max" }),
  }, { noNullPrototype: true });
}
