/**
 * What a service keeps of its requests: caches and sessions, most of them short-lived, some long.
 * Time is counted in requests, so that the same is kept whatever the speed.
 *
 * @module
 */
import type { Random } from "../support/random.ts";

/** How long things are kept, in requests, and which share of them. */
const LIFETIMES: readonly {
  readonly share: number;
  readonly least: number;
  readonly most: number;
}[] = [
  { share: 0.7, least: 8, most: 64 }, // the answer of a page or two
  { share: 0.25, least: 100, most: 400 }, // a session
  { share: 0.05, least: 600, most: 2400 }, // a cache's entry that is asked for again and again
];

/** How long something is kept, in requests. */
export function lifetime(random: Random): number {
  let at = random.next();
  for (const { share, least, most } of LIFETIMES) {
    if (at < share) return random.between(least, most);
    at -= share;
  }
  return 1;
}

/** Things that expire. */
export class Sessions {
  #clock = 0;
  #size = 0;
  readonly #expiring = new Map<number, unknown[]>();

  /** How many things are kept. */
  get size(): number {
    return this.#size;
  }

  /** Keeps something for so many requests. */
  keep(thing: unknown, requests: number): void {
    const at = this.#clock + requests;
    const others = this.#expiring.get(at);
    if (others === undefined) this.#expiring.set(at, [thing]);
    else others.push(thing);
    this.#size++;
  }

  /** Lets so many requests go by. */
  advance(requests: number): void {
    for (const end = this.#clock + requests; this.#clock < end;) {
      this.#clock++;
      this.#size -= this.#expiring.get(this.#clock)?.length ?? 0;
      this.#expiring.delete(this.#clock);
    }
  }
}
