/**
 * An hour of churn: as many allocations as a busy service makes in one, at full speed, with sizes and
 * lifetimes like a service's. What lives at the end stays until the measuring is over: it is what
 * the heap is fragmented by.
 *
 * @module
 */
import type { Address, RawAllocator } from "../../../mod.ts";
import type { Scale } from "../support/program.ts";
import { type Random, seeded } from "../support/random.ts";

/** Allocations a second of the service. */
const RATE = 20_000;

/** How many seconds of the service's life, and how they are called. */
const LIVES: Readonly<Record<Scale, { readonly seconds: number; readonly title: string }>> = {
  test: { seconds: 1, title: "1 s" },
  quick: { seconds: 60, title: "1 min" },
  full: { seconds: 3600, title: "1 h" },
};

/** How much is churned. */
export function churnAt(scale: Scale): { readonly operations: number; readonly title: string } {
  const { seconds, title } = LIVES[scale];
  return { operations: seconds * RATE, title };
}

/** Blocks that live at once, in all threads together. */
const LIVE = 20_000;

/** Sizes in bytes; within a class, the logarithm is uniform. */
const SIZES: readonly {
  readonly share: number;
  readonly least: number;
  readonly most: number;
}[] = [
  { share: 0.8, least: 16, most: 256 },
  { share: 0.15, least: 256, most: 4096 },
  { share: 0.045, least: 4096, most: 65_536 },
  { share: 0.005, least: 65_536, most: 1_048_576 },
];

/** Nine of ten new blocks replace a young one: one of the first twentieth of those that live. */
const YOUNG = { share: 0.9, part: 0.05 };

/**
 * Lengths without a common divisor, so that picks and sizes meet differently in each round; a round has
 * picks enough to reach nearly every block.
 */
const PICKS = 2 ** 20;
const SIZE_COUNT = 65_521;

function size(random: Random): number {
  let at = random.next();
  for (const { share, least, most } of SIZES) {
    if (at < share) return Math.floor(least * (most / least) ** random.next());
    at -= share;
  }
  return SIZES[0]?.least ?? 1;
}

/** A heap that was churned. */
export interface Churned {
  /** Bytes asked for in all: the same for the same seed. */
  readonly bytes: number;
  /** Frees what still lives. */
  free(): void;
}

/** Churns by one thread's share of the operations and of the live blocks. */
export function churn(
  raw: RawAllocator,
  operations: number,
  threads: number,
  seed: number,
): Churned {
  const live = Math.floor(LIVE / threads);
  const random = seeded(seed);
  const young = Math.max(1, Math.floor(live * YOUNG.part));
  const picks = Int32Array.from(
    { length: PICKS },
    () => random.between(0, (random.next() < YOUNG.share ? young : live) - 1),
  );
  const sizes = Int32Array.from({ length: SIZE_COUNT }, () => size(random));
  const blocks = new Float64Array(live); // NULL at first, which free takes
  const bytes = replace(raw, operations, blocks, picks, sizes);
  return {
    bytes,
    free() {
      for (const block of blocks) raw.free(block as Address);
    },
  };
}

function replace(
  raw: RawAllocator,
  operations: number,
  blocks: Float64Array,
  picks: Int32Array,
  sizes: Int32Array,
): number {
  let bytes = 0;
  let failed = 0;
  for (let i = 0, next = 0; i < operations; i++) {
    const pick = picks[i & (PICKS - 1)] as number;
    const wanted = sizes[next] as number;
    if (++next === SIZE_COUNT) next = 0;
    raw.free(blocks[pick] as Address);
    const block = raw.malloc(wanted);
    if (block === 0) failed++;
    blocks[pick] = block;
    bytes += wanted;
  }
  if (failed > 0) throw new RangeError(`Cannot churn: malloc found no memory ${failed} times`);
  return bytes;
}
