import assert from "node:assert/strict";
import { test } from "node:test";
import { formatEvidence, wrapWords } from "../../lib/cli/output.ts";

test("a cell of a table breaks between words, and a longer word within", () => {
  const rows: readonly (readonly [string, string])[] = [
    ["one two three", "one two\nthree"],
    ["/usr/lib/libjemalloc.so is", "/usr/lib\n/libjema\nlloc.so\nis"],
    ["see /usr/lib/x", "see\n/usr/lib\n/x"],
    ["one\ntwo", "one\ntwo"],
    ["", ""],
  ];
  for (const [text, expected] of rows) assert.equal(wrapWords(text, 8), expected);
});

test("what reads a pipe gets a line for each fact, also of a detail with several", () => {
  const detail = "Cannot find it. Looked at:\n  build: nothing\n  cache: nothing";
  const lines = formatEvidence([{ check: "symbol", outcome: "fail", detail }]).split("\n");
  assert.equal(lines.length, 2);
  assert.match(String(lines[1]), / Looked at: build: nothing; cache: nothing$/);
});
