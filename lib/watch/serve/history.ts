/**
 * What was seen of each process until now: for the page's charts, and for whether memory grows.
 *
 * @module
 */
import type { Observation } from "../doctor/memory/observation.ts";

/** For how long it is kept. */
const LONGEST_MS = 30 * 60_000;

/** How much is kept of one process, and of all together: some 20 MB of memory. */
const MOST = { each: 240, all: 20_000, least: 16 } as const;

/** How a process was seen. */
export interface Sighting {
  /** Its memory. */
  readonly observation: Observation;
  /** What share of its limits is used, by whose they are. */
  readonly used: Readonly<Record<string, number>>;
}

/** Remembers processes for as long as they are there. */
export class History {
  #sightings = new Map<string, Sighting[]>();

  /** What was seen of one, the latest last. */
  of(key: string): readonly Sighting[] {
    return this.#sightings.get(key) ?? [];
  }

  /** Adds what was seen of all processes that there are, by their keys; others are forgotten. */
  add(seen: readonly (readonly [key: string, sighting: Sighting])[]): void {
    const most = Math.max(MOST.least, Math.min(MOST.each, Math.floor(MOST.all / seen.length)));
    this.#sightings = new Map(seen.map(([key, sighting]) => {
      const kept = this.#sightings.get(key) ?? [];
      kept.push(sighting);
      return [key, thinned(kept, sighting.observation.at, most)];
    }));
  }
}

/** Without what is too old; of too many, every other one of the older half goes. */
function thinned(all: readonly Sighting[], now: number, most: number): Sighting[] {
  const kept = all.filter(({ observation }) => now - observation.at <= LONGEST_MS);
  if (kept.length <= most) return kept;
  const half = Math.ceil(kept.length / 2);
  return kept.filter((_, index) => index >= half || index % 2 === 0);
}
