/**
 * Allocations by their addresses: which of them an address is in.
 *
 * @module
 */
import type { Address } from "../../../ffi/types.ts";

/** A piece of memory. */
interface Extent {
  /** Its first byte. */
  readonly address: Address;
  /** Its size in bytes. */
  readonly size: number;
}

/**
 * For each power of two, the pieces that are no larger, but larger than half of it, by the multiple
 * of it at or before their first byte. So a piece is in one cell, which has two of them at most, as
 * pieces do not overlap; and what an address is in starts in its cell or in the one before.
 */
export class AddressIndex<T extends Extent> {
  readonly #levels = new Map<number, Map<number, T[]>>();

  /** Adds a piece, whose place must not change before it is removed. */
  add(piece: T): void {
    const width = widthOf(piece);
    let cells = this.#levels.get(width);
    if (cells === undefined) this.#levels.set(width, cells = new Map());
    const cell = Math.floor(piece.address / width);
    const there = cells.get(cell);
    if (there === undefined) cells.set(cell, [piece]);
    else there.push(piece);
  }

  /** Removes a piece, which must be there. */
  remove(piece: T): void {
    const width = widthOf(piece);
    const cells = this.#levels.get(width);
    const cell = Math.floor(piece.address / width);
    const there = cells?.get(cell);
    if (there === undefined) return;
    if (there.length === 1) cells?.delete(cell);
    else there.splice(there.indexOf(piece), 1);
  }

  /** The piece that an address is in; `null` when there is none. One of no bytes has its first. */
  at(address: Address): T | null {
    for (const [width, cells] of this.#levels) {
      const cell = Math.floor(address / width);
      for (const piece of [...cells.get(cell) ?? [], ...cells.get(cell - 1) ?? []]) {
        if (address >= piece.address && address < piece.address + Math.max(1, piece.size)) {
          return piece;
        }
      }
    }
    return null;
  }
}

/** The power of two that a piece's size is no larger than, but larger than half of. */
function widthOf({ size }: Extent): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, size)));
}
