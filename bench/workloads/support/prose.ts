/**
 * Prose from a seed: invented words with the frequencies of a language, sentences, paragraphs.
 *
 * @module
 */
import { type Random, seeded } from "./random.ts";

const ONSETS = ["b", "br", "c", "d", "f", "g", "h", "l", "m", "n", "p", "r", "s", "st", "t", "v"];
const NUCLEI = ["a", "e", "i", "o", "u", "ai", "ea", "io"];
const CODAS = ["", "", "l", "n", "r", "s", "nd", "st"];
const VOCABULARY_SIZE = 3000;
const VOCABULARY_SEED = 1;
/** Few words are said often and many seldom: the index is a random number to this power. */
const SKEW = 3;
const SENTENCE = { least: 6, most: 18 } as const;
const PARAGRAPH = { least: 3, most: 7 } as const;

function vocabulary(): readonly string[] {
  const random = seeded(VOCABULARY_SEED);
  const words = new Set<string>();
  while (words.size < VOCABULARY_SIZE) {
    let word = "";
    for (let left = random.between(1, 3); left > 0; left--) {
      word += random.pick(ONSETS) + random.pick(NUCLEI) + random.pick(CODAS);
    }
    words.add(word);
  }
  return [...words];
}

const WORDS = vocabulary();

/** One word. */
export function word(random: Random): string {
  return WORDS[Math.floor(random.next() ** SKEW * WORDS.length)] as string;
}

/** Words with blanks between them. */
export function phrase(random: Random, length: number): string {
  return Array.from({ length }, () => word(random)).join(" ");
}

/** A sentence, with a capital and a full stop. */
export function sentence(random: Random): string {
  const text = phrase(random, random.between(SENTENCE.least, SENTENCE.most));
  return `${text[0]?.toUpperCase()}${text.slice(1)}.`;
}

/** Some sentences. */
export function paragraph(random: Random): string {
  const length = random.between(PARAGRAPH.least, PARAGRAPH.most);
  return Array.from({ length }, () => sentence(random)).join(" ");
}

/** Paragraphs, from the least number to the most. */
export function paragraphs(random: Random, least: number, most: number): string[] {
  return Array.from({ length: random.between(least, most) }, () => paragraph(random));
}

/** A title of a few words. */
export function title(random: Random): string {
  return phrase(random, random.between(2, 5));
}
