// Which piece an address is in, as asking each piece says it, while pieces come and go.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Address } from "../../ffi/types.ts";
import { AddressIndex } from "../../lib/memory/blocks/address-index.ts";

const FIRST = 2 ** 46;

/** Pieces that do not overlap, as gaps and sizes after one another. */
const pieces = fc.array(
  fc.tuple(fc.nat(300), fc.oneof(fc.nat(40), fc.nat(5000))),
  { minLength: 1, maxLength: 60 },
).map((list) => {
  let next = FIRST;
  return list.map(([gap, size]) => {
    const piece = { address: next + gap as Address, size };
    next = piece.address + Math.max(1, size);
    return piece;
  });
});

test("an address is found in the piece that it is in, and in none that is gone", () => {
  fc.assert(fc.property(pieces, fc.nat(), (all, seed) => {
    const index = new AddressIndex<typeof all[number]>();
    for (const piece of all) index.add(piece);
    const left = all.filter((_, at) => (seed >> (at % 30)) % 2 === 0);
    for (const piece of all) if (!left.includes(piece)) index.remove(piece);
    for (const { address, size } of all) {
      for (const at of [address - 1, address, address + size - 1, address + size]) {
        const expected = left.find((piece) =>
          at >= piece.address && at < piece.address + Math.max(1, piece.size)
        );
        assert.equal(index.at(at as Address), expected ?? null);
      }
    }
  }));
});
