/**
 * Pieces of text that are found by the likeness of their embeddings.
 *
 * @module
 */

/** Numbers of an embedding. */
export const DIMENSIONS = 256;

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
/** The bit of a word's hash that is its sign; those below it are its place. */
const SIGN = 1 << 16;

/** FNV-1a of a word's UTF-16 units. */
function hashOf(word: string): number {
  let hash = FNV_OFFSET;
  for (let i = 0; i < word.length; i++) hash = Math.imul(hash ^ word.charCodeAt(i), FNV_PRIME);
  return hash;
}

/**
 * Embeds a text by hashing its words (Weinberger et al., "Feature Hashing for Large Scale Multitask
 * Learning", 2009), with length 1, so that a product of two embeddings is their cosine.
 */
export function embed(text: string, into: Float32Array): Float32Array {
  into.fill(0);
  for (const word of text.toLowerCase().split(/[^a-z]+/)) {
    if (word === "") continue;
    const hash = hashOf(word);
    const at = (hash & (SIGN - 1)) % DIMENSIONS;
    into[at] = (into[at] as number) + ((hash & SIGN) === 0 ? 1 : -1);
  }
  const length = Math.sqrt(product(into, into)) || 1;
  for (let i = 0; i < into.length; i++) into[i] = (into[i] as number) / length;
  return into;
}

function product(left: Float32Array, right: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < left.length; i++) sum += (left[i] as number) * (right[i] as number);
  return sum;
}

/** A piece of text with its embedding. */
interface Passage {
  readonly text: Uint8Array | string;
  readonly embedding: Float32Array;
}

/** A piece that was found. */
export interface Found {
  readonly text: string;
  readonly likeness: number;
}

const decoder = new TextDecoder();

/** Pieces of text to be searched. */
export class Knowledge {
  readonly #passages: Passage[] = [];

  /** Takes a piece in; its embedding is written into `floats`. */
  add(plain: string, text: Uint8Array | string, floats: Float32Array): void {
    this.#passages.push({ text, embedding: embed(plain, floats) });
  }

  /** The pieces that are most like a question, the most alike first. */
  search(question: Float32Array, count: number): Found[] {
    const likeness = this.#passages.map(({ embedding }) => product(question, embedding));
    // Of equal ones the first that was taken in comes first.
    const order = [...likeness.keys()].sort((left, right) =>
      (likeness[right] as number) - (likeness[left] as number) || left - right
    );
    return order.slice(0, count).map((index) => {
      const { text } = this.#passages[index] as Passage;
      return {
        text: typeof text === "string" ? text : decoder.decode(text),
        likeness: likeness[index] as number,
      };
    });
  }
}
