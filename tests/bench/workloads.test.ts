import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { WorkloadOutput } from "../../bench/suite/format.ts";
import { pack, requireIntact, split } from "../../bench/workloads/documents/chunks.ts";
import { Store } from "../../bench/workloads/documents/store.ts";
import { runGraph } from "../../bench/workloads/agents/graph.ts";
import { ROOT, runChild, runtimeCommand } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

/** What every runtime computes from seed 1 at the smallest scale. */
const DIGESTS = { documents: "f64aefe06637749e", agents: "43690481498c0c16" } as const;

const onLinux = skipUnless(process.platform === "linux", "workloads read their use from /proc");

async function runWorkload(
  name: keyof typeof DIGESTS,
  options: Record<string, string> = {},
  seed = 1,
): Promise<WorkloadOutput> {
  const script = join(ROOT, "bench", "workloads", `${name}.ts`);
  const given = JSON.stringify({ scale: "test", seed, options });
  const { status, stdout, stderr } = await runChild(runtimeCommand(script, given));
  assert.equal(status, 0, stderr);
  // Leaks and warnings would be there.
  assert.equal(stderr, "");
  return WorkloadOutput.parse(JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? ""));
}

test(
  "the texts of documents are the same in every runtime",
  onLinux,
  async () => {
    const { work, metrics, latencies } = await runWorkload("documents");
    assert.equal(work, DIGESTS.documents);
    const kinds = ["pdf", "docx", "csv", "xml", "html", "jpeg", "png"];
    assert.deepEqual(Object.keys(latencies ?? {}).sort(), kinds.sort());
    const counts = Object.values(latencies ?? {}).map(({ count }) => count);
    const seconds = metrics["wall"]?.value ?? 0;
    const count = Math.round((metrics["throughput"]?.value ?? 0) * seconds);
    assert.equal(count, counts.reduce((sum, one) => sum + one, 0));
  },
);

test("agents do the same in arenas as in JavaScript's own memory", onLinux, async () => {
  for (const memory of ["arena", "javascript"]) {
    const { work, latencies } = await runWorkload("agents", { memory });
    assert.equal(work, DIGESTS.agents, memory);
    assert.equal(latencies?.["run"]?.count, 3);
  }
});

test("another seed gives other work", onLinux, async () => {
  const { work } = await runWorkload("agents", {}, 2);
  assert.notEqual(work, DIGESTS.agents);
});

test("agents refuse a kind of memory that does not exist", onLinux, async () => {
  const script = join(ROOT, "bench", "workloads", "agents.ts");
  const given = JSON.stringify({ scale: "test", options: { memory: "paper" } });
  const { status, stdout, stderr } = await runChild(runtimeCommand(script, given));
  assert.notEqual(status, 0);
  assert.equal(stdout, "");
  assert.match(stderr, /must be one of arena, javascript; got "paper"/);
});

test("the pieces of a text overlap and leave nothing out", () => {
  const text = Array.from({ length: 3000 }, (_, index) => `word${index}`).join(" ");
  const pieces = split(text);
  assert.ok(pieces.length > 2);
  let joined = pieces[0] as string;
  for (const piece of pieces.slice(1)) {
    const overlap = piece.slice(0, 400);
    assert.ok(joined.endsWith(overlap));
    joined += piece.slice(overlap.length);
  }
  assert.equal(joined, text);
  assert.deepEqual(split("short"), ["short"]);
  assert.deepEqual(split(""), [""]);
});

test("a piece that was damaged in memory is found by both formats", async () => {
  for (const [index, format] of (["brotli", "deflate"] as const).entries()) {
    const chunk = await pack("some text, some text, some text", index);
    assert.equal(chunk.format, format);
    await requireIntact(chunk);
    const other = await pack("other text, other text, other text", index);
    await assert.rejects(requireIntact({ ...chunk, bytes: other.bytes }), /was damaged/);
  }
});

test("a store stays within its limit, and a cut leaves some of it", async () => {
  const store = new Store(2000);
  for (let i = 0; i < 100; i++) {
    store.keepChunk(await pack(`piece ${i}`, i));
    store.keepPicture(Buffer.alloc(50));
    assert.ok(store.size <= 2000);
  }
  const full = store.size;
  assert.ok(full > 1500);
  store.cut(8);
  assert.ok(store.size > 0 && store.size < full / 4);
  await store.requireIntact();
  await assert.rejects(new Store(1).requireIntact(), /it is empty/);
});

test("a joining node of a graph waits for all others and runs once", async () => {
  const ran: string[] = [];
  const due = (node: string, index = 0) => ({ node, index });
  const steps = await runGraph(
    {
      start: { run: () => Promise.resolve([due("a", 1), due("a", 2), due("end")]) },
      a: {
        run: (log, index) => {
          log.push(`a${index}`);
          return Promise.resolve([due(index === 1 ? "b" : "end")]);
        },
      },
      b: { run: (log) => Promise.resolve(log.push("b")).then(() => [due("end")]) },
      end: { joins: true, run: (log) => Promise.resolve(log.push("end")).then(() => []) },
    },
    "start",
    ran,
  );
  assert.deepEqual(ran, ["a1", "a2", "b", "end"]);
  assert.equal(steps, 5);
});

test("a graph that does not end, or lacks a node, is a fault", async () => {
  const again = { run: () => Promise.resolve([{ node: "again", index: 0 }]) };
  await assert.rejects(runGraph({ again }, "again", null), /does not end/);
  await assert.rejects(runGraph({ again }, "absent", null), /no node "absent"/);
});
