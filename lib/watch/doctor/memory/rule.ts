/**
 * What a rule is, and what it looks at.
 *
 * @module
 */
import type { MemoryParts, Observation } from "./observation.ts";
import type { MemoryFacts, MemoryFinding, MemoryTrends, MemoryVerdict } from "./types.ts";

/** What a rule looks at. */
export interface RuleFacts extends MemoryFacts {
  /** The latest observation. */
  readonly last: Observation;
  /** Where resident memory is. */
  readonly parts: MemoryParts;
  /** Resident memory, in bytes. */
  readonly resident: number;
  /** How figures moved; `null` after a single look. */
  readonly trends: MemoryTrends | null;
}

/** A rule: what a verdict is known by. */
export interface Rule {
  readonly verdict: MemoryVerdict;
  /** How much it explains, in bytes; growth is above all. */
  weight(facts: RuleFacts): number;
  /** What speaks for it; `null` when it does not hold. */
  find(facts: RuleFacts): Omit<MemoryFinding, "verdict"> | null;
}

/** How sure a verdict is that rests on what was counted, or on what can only be inferred. */
export const SURE = { counted: 0.95, inferred: 0.6 };
