/**
 * Which addresses are in use: no two pieces may share a byte.
 *
 * @module
 */
import assert from "node:assert/strict";

interface Range {
  readonly start: number;
  readonly end: number;
  readonly what: string;
}

/** Ranges in order of their addresses. None is empty. */
export class Ranges {
  readonly #ranges: Range[] = [];

  /** Enters what is in use from now on. */
  add(start: number, size: number, what: string): void {
    const range = { start, end: start + size, what };
    const index = this.#indexOf(start);
    for (const other of [this.#ranges[index - 1], this.#ranges[index]]) {
      if (other === undefined || other.end <= start || range.end <= other.start) continue;
      assert.fail(`${said(range)} overlaps ${said(other)}`);
    }
    this.#ranges.splice(index, 0, range);
  }

  /** Takes out what begins at an address. */
  remove(start: number): void {
    const index = this.#indexOf(start);
    assert.equal(this.#ranges[index]?.start, start, "the model lost a range");
    this.#ranges.splice(index, 1);
  }

  /** The first range that does not begin before an address. */
  #indexOf(start: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#ranges[middle] as Range).start < start) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function said({ start, end, what }: Range): string {
  return `${what} at 0x${start.toString(16)} to 0x${end.toString(16)}`;
}
