import assert from "node:assert/strict";
import { test } from "node:test";
import { partsOf, withPart } from "../../tools/marked-text.ts";

const TEXT = [
  "before",
  "<!-- one:begin -->",
  "old",
  "<!-- one:end -->",
  "between <!-- two-more:begin --><!-- two-more:end -->",
  "",
].join("\n");

test("a part is replaced between its marks, and nothing else", () => {
  assert.equal(
    withPart(TEXT, "one", "\nnew $& text\n"),
    TEXT.replace("\nold\n", () => "\n\nnew $& text\n\n"),
  );
  assert.match(withPart(TEXT, "two-more", "x"), /begin -->\n\nx\n\n<!-- two-more:end -->\n$/);
  const once = withPart(TEXT, "one", "new");
  assert.equal(withPart(once, "one", "new"), once);
});

test("a text's parts are listed in their order", () => {
  assert.deepEqual(partsOf(TEXT), ["one", "two-more"]);
});

test("marks that are missing, double or turned round are refused", () => {
  const turned = "<!-- a:end --> <!-- a:begin -->";
  const twice = "<!-- a:begin --><!-- a:end --><!-- a:end -->";
  for (const text of ["", "<!-- a:begin -->", turned, twice, `${TEXT}${TEXT}`]) {
    assert.throws(() => withPart(text, text.includes("one") ? "one" : "a", "new"), {
      name: "RangeError",
      message: /the text must have <!-- \w+:begin --> and <!-- \w+:end -->, once and in this order/,
    });
  }
});
