import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { formatEvidence, formatFields, wrapWords } from "../../lib/cli/output.ts";
import { writeNamed } from "../../lib/system/files.ts";
import { formatBytes, formatSeconds } from "../../lib/units.ts";
import { skipUnless } from "../support/skip.ts";

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

test("a table of names and values is no wider than the terminal", () => {
  const { isTTY, columns } = process.stdout;
  const long = "- (glibc counts blocks, not pages, of which malloc_trim may have given back some)";
  const names = "allocator_rss_ratio, allocator_rss_bytes, rss_overhead_ratio, rss_overhead_bytes";
  Object.assign(process.stdout, { isTTY: true, columns: 80 });
  try {
    const lines = formatFields([["allocated", "2.8 MiB"], [names, long]]).split("\n");
    // deno-lint-ignore no-control-regex
    const widths = lines.map((line) => line.replace(/\x1b\[\d*m/g, "").length);
    assert.ok(Math.max(...widths) <= 80, `${widths}`);
    assert.ok(lines.length > 4, "both columns are wrapped");
  } finally {
    Object.assign(process.stdout, { isTTY, columns });
  }
});

test("sizes and times have the unit that makes a short number, also where they are rounded", () => {
  const sizes: readonly (readonly [number, string])[] = [
    [0, "0 B"],
    [1023, "1023 B"],
    [1024, "1.0 KiB"],
    [2 ** 30 - 1, "1.0 GiB"],
    [24105.1 * 2 ** 20, "23.5 GiB"],
    [-1.5 * 2 ** 20, "-1.5 MiB"],
    [4096 * 2 ** 40, "4096.0 TiB"],
  ];
  for (const [bytes, text] of sizes) assert.equal(formatBytes(bytes), text);
  const times: readonly (readonly [number, string])[] = [
    [0, "0.00 µs"],
    [0.000_52, "520 µs"],
    [0.9994, "999 ms"],
    [0.9997, "1.00 s"],
    [61.26, "61.3 s"],
    [1234.5, "1235 s"],
  ];
  for (const [seconds, text] of times) assert.equal(formatSeconds(seconds), text);
});

test(
  "a file whose disk is full is named",
  skipUnless(process.platform === "linux", "needs /dev/full"),
  () => {
    assert.throws(() => writeNamed("/dev/full", "text"), /ENOSPC.*\/dev\/full/);
    assert.throws(
      () => writeNamed("/dev/null/file", "text"),
      /^Error: ENOTDIR[^']*'\/dev\/null\/file'$/,
    );
  },
);
