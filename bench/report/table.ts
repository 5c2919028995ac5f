/**
 * A table as data: HTML and Markdown are made of the same.
 *
 * @module
 */

/** A table. */
export interface Table {
  /** By which the page asks for it. */
  readonly name: string;
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** How many columns at the left are words; the rest are figures. */
  readonly words: number;
}
