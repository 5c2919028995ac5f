/**
 * What the agents work on, made from the seed before anything is measured.
 *
 * @module
 */
import { paragraph, phrase, sentence, title, word } from "../support/prose.ts";
import { type Random, seeded } from "../support/random.ts";
import { DIMENSIONS, Knowledge } from "./knowledge.ts";
import type { AgentMemory } from "./memory.ts";
import type { StockRecord } from "./tools.ts";

/** What there is before the first run. */
export interface Material {
  /** What all runs search; its embeddings live until the end. */
  readonly shared: Knowledge;
  /** Texts that runs are given, as lists of pieces. */
  readonly attachments: readonly (readonly string[])[];
  /** JSON documents that runs are given. */
  readonly documents: readonly string[];
}

const SHARED_PASSAGES = 400;
const ATTACHMENTS = 48;
const PIECES = { least: 8, most: 24 } as const;
const DOCUMENTS = 24;
const RECORDS = { least: 40, most: 160 } as const;

function record(random: Random, index: number): StockRecord {
  return {
    id: index + 1,
    name: title(random),
    price: random.between(100, 9999) / 100,
    labels: Array.from({ length: random.between(0, 3) }, () => word(random)),
    places: Array.from(
      { length: random.between(1, 4) },
      () => ({ city: word(random), quantity: random.between(0, 500) }),
    ),
    remark: phrase(random, random.between(4, 16)),
  };
}

/** Lists of a random length. */
function lists<T>(
  random: Random,
  { least, most }: { least: number; most: number },
  make: (
    index: number,
  ) => T,
): T[] {
  return Array.from({ length: random.between(least, most) }, (_, index) => make(index));
}

/** Makes the material. */
export function makeMaterial(seed: number, memory: AgentMemory): Material {
  const random = seeded(seed);
  const shared = new Knowledge();
  for (let i = 0; i < SHARED_PASSAGES; i++) {
    const text = `${sentence(random)} ${sentence(random)}`;
    shared.add(text, text, memory.floats(DIMENSIONS));
  }
  return {
    shared,
    attachments: Array.from(
      { length: ATTACHMENTS },
      () => lists(random, PIECES, () => paragraph(random)),
    ),
    documents: Array.from(
      { length: DOCUMENTS },
      () => JSON.stringify(lists(random, RECORDS, (index) => record(random, index))),
    ),
  };
}
