import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeExact, encodeExact, isText } from "../../lib/exact-text.ts";

test("text is what UTF-8 says, byte order marks and characters beyond the first plane included", () => {
  for (const text of ["", "plain", "grün 木 🐋", "\uFEFFmark", "\uFFFD", "a\u0000b"]) {
    const bytes = new TextEncoder().encode(text);
    assert.equal(decodeExact(bytes), text);
    assert.deepEqual(encodeExact(text), bytes);
    assert.ok(isText(text));
  }
});

test("bytes that are no UTF-8 come back as they were, wherever they stand", () => {
  const cases: readonly (readonly number[])[] = [
    [0xff],
    [0x80, 0xbf, 0xc0, 0xc1],
    [0x61, 0xff, 0x62],
    [0xe2, 0x82], // a truncated character
    [0xe2, 0x82, 0x41],
    [0xed, 0xa0, 0x80], // a surrogate, which UTF-8 does not have
    [0xed, 0xb2, 0x80], // the one that means a byte here
    [0xf0, 0x9f, 0x90, 0x8b, 0xff, 0xf0, 0x9f, 0x90], // a whole one, and a truncated one
    [0xf4, 0x90, 0x80, 0x80, 0xf5, 0xfe], // beyond the last character
    [0xc0, 0xaf, 0xe0, 0x80, 0xaf], // longer than they have to be
  ];
  for (const bytes of cases) {
    const text = decodeExact(Uint8Array.from(bytes));
    assert.deepEqual([...encodeExact(text)], bytes);
    assert.ok(!isText(text));
  }
  assert.equal(
    decodeExact(Uint8Array.of(0x61, 0xff, 0x62)).replace(/[\uDC80-\uDCFF]/u, "?"),
    "a?b",
  );
  const among = Uint8Array.of(0xff, ...new TextEncoder().encode("ü木🐋"), 0xff);
  assert.equal(decodeExact(among).slice(1, -1), "ü木🐋", "characters between them are characters");
});

test("any bytes whatever come back", () => {
  let seed = 20261128;
  const next = (): number => seed = (seed * 1103515245 + 12345) % 2 ** 31;
  for (let round = 0; round < 500; round++) {
    const bytes = Uint8Array.from({ length: next() % 24 }, () => (next() >> 8) & 0xff);
    assert.deepEqual(encodeExact(decodeExact(bytes)), bytes);
  }
});
