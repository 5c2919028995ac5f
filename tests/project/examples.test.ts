import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import type { PipelineResult } from "../../examples/document-pipeline.ts";
import {
  parseCsv,
  parseHtml,
  parseJson,
  parseMarkdown,
  parseText,
  parseXml,
  readCsv,
} from "../../examples/document-pipeline/parse.ts";
import { processDocuments } from "../../examples/document-pipeline/work.ts";
import { THOROUGH } from "../support/effort.ts";
import { offheapCommand, runChild, runtimeCommand } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const CHECKSUM = "65972981081b8b75aac02e14883ba919517d1606418cbf1d6ee9e4f4bbf9cf6c";
const PIPELINE = "examples/document-pipeline.ts";
const TEST_ALLOCATOR = "examples/test-allocator.ts";
const onLinux = () =>
  skipUnless(
    process.platform === "linux",
    "offheap run preloads on Linux only here",
  );

function underAllocator(command: readonly string[]): [string, ...string[]] {
  return offheapCommand("run", "--allocator", "auto", "--", ...command);
}

test("a quoted CSV field keeps its commas, line breaks and doubled quotes", () => {
  assert.deepEqual(readCsv('a,"b, ""c""\nd",\n1,2,3\n'), [["a", 'b, "c"\nd', ""], ["1", "2", "3"]]);
});

test("a CSV with an open quote is refused with its row", () => {
  assert.throws(() => readCsv('a,b\nc,"d'), /Cannot read CSV: a quote in row 2/);
});

test("a CSV record names its fields after the header", () => {
  assert.deepEqual(parseCsv("code,level\nALD,1.2\n"), [
    { title: "ALD 1.2", text: "code: ALD\nlevel: 1.2" },
  ]);
});

test("a hash inside a fenced Markdown block starts no section", () => {
  const sections = parseMarkdown("# One\ntext\n```sh\n# comment\n```\n## Two\nmore\n");
  assert.deepEqual(sections.map(({ title }) => title), ["One", "Two"]);
});

test("HTML sections have neither tags nor scripts, and their entities are decoded", () => {
  const [section] = parseHtml(
    "<script>'<h2>no</h2>text'</script><h1>T &amp; U</h1><p>1&nbsp;&lt;&#50;</p>",
  );
  assert.equal(section?.title, "T & U");
  assert.equal(section?.text.trim(), "1 <2");
});

test("XML character data is kept as it is", () => {
  const [section] = parseXml('<l><incident id="I1"><n><![CDATA[a <b> & c]]></n></incident></l>');
  assert.equal(section?.title, "I1");
  assert.match(section?.text ?? "", /a <b> & c/);
});

test("nested JSON values become lines with their paths", () => {
  assert.deepEqual(parseJson('{"list":[{"a":{"b":[1,null]}}]}'), [
    { title: "list 0", text: "a.b.0: 1\na.b.1: null" },
  ]);
});

test("each paragraph of a text is a section", () => {
  assert.equal(parseText("one\ntwo\n\n\nthree\n").length, 2);
});

test("the pipeline's work is the same in every runtime", async () => {
  const { bytesOut, ...work } = await processDocuments(1);
  assert.ok(bytesOut > 0 && bytesOut < work.bytesIn);
  assert.deepEqual(work, {
    documents: 96,
    sections: 14416,
    chunks: 284,
    bytesIn: 2870112,
    checksum: CHECKSUM,
  });
});

test("the pipeline prints its figures and the evidence as one line of JSON, the same under the allocator", async () => {
  const plain = runtimeCommand(PIPELINE, "--json", "--rounds", "1", "--idle", "0");
  const commands = process.platform !== "linux" || THOROUGH ? [plain] : [];
  if (process.platform === "linux") commands.push(underAllocator(plain));
  for (const command of commands) {
    const { status, stdout, stderr } = await runChild(command);
    assert.equal(status, 0, stderr);
    const { checksum, rss, peakRss, verification }: PipelineResult = JSON.parse(stdout);
    assert.equal(checksum, CHECKSUM);
    assert.ok(peakRss >= rss && rss > 1_000_000);
    assert.ok(verification.evidence.length > 0);
    assert.equal(verification.processAllocatorVerified, true);
    if (command !== plain) assert.equal(verification.processAllocator, "jemalloc");
  }
});

test("the pipeline refuses an invalid number of rounds", async () => {
  const { status, stderr } = await runChild(runtimeCommand(PIPELINE, "--rounds", "many"));
  assert.equal(status, 2);
  assert.match(stderr, /--rounds must be a whole number of at least 0; got "many"/);
});

test("test-allocator passes where offheap's blocks come from the system's choice", async () => {
  const { status, stdout, stderr } = await runChild(runtimeCommand(TEST_ALLOCATOR));
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /^PASS$/m);
});

test("test-allocator --process fails in a plain process", async () => {
  const { status, stdout } = await runChild(runtimeCommand(TEST_ALLOCATOR, "--process"));
  assert.equal(status, 1);
  assert.match(stdout, /^FAIL$/m);
});

test("test-allocator --process passes under offheap run", onLinux(), async () => {
  const command = underAllocator(runtimeCommand(TEST_ALLOCATOR, "--process"));
  const { status, stdout, stderr } = await runChild(command);
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /^PASS$/m);
});
