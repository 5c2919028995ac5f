/**
 * What the server answers.
 *
 * @module
 */

/** An answer. */
export interface Answer {
  /** The HTTP status. */
  readonly status: number;
  /** Its media type. */
  readonly type: string;
  /** What it says. */
  readonly body: string | Uint8Array;
  /** Headers beside those that every answer has. */
  readonly headers?: Readonly<Record<string, string>>;
}
