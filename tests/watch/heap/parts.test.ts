/**
 * Reading what a heap profile is made of: texts and files that were made for it.
 */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { HeapProfileError } from "../../../lib/errors.ts";
import { chooseCode, returnOffset } from "../../../lib/watch/heap/code-choice.ts";
import { readCodeName } from "../../../lib/watch/heap/code-names.ts";
import { demangle } from "../../../lib/watch/heap/demangle.ts";
import { profileDifference } from "../../../lib/watch/heap/difference.ts";
import { readDump } from "../../../lib/watch/heap/dump.ts";
import { renderFlameGraph } from "../../../lib/watch/heap/flame-graph.ts";
import { factsOf } from "../../../lib/watch/heap/facts.ts";
import { GrowthGauge, keepProfile } from "../../../lib/watch/heap/kept.ts";
import { functionName } from "../../../lib/watch/heap/names.ts";
import { blockSamples, framesOfText } from "../../../lib/watch/heap/own-blocks.ts";
import { findCode, type MappedCode } from "../../../lib/watch/heap/perf-map.ts";
import { encodeProfile } from "../../../lib/watch/heap/pprof.ts";
import { decodeProfile } from "../../../lib/watch/heap/pprof-read.ts";
import { scaleSample } from "../../../lib/watch/heap/scale.ts";
import { SourceMaps } from "../../../lib/watch/heap/source-maps.ts";
import { functionTable } from "../../../lib/watch/heap/table.ts";
import type { HeapFrame, HeapProfile, HeapSample } from "../../../lib/watch/heap/types.ts";
import { remarks } from "../../../lib/watch/heap/words.ts";
import { temporaryDirectory } from "../../support/compile.ts";

const directory = temporaryDirectory();

const DUMP = `heap_v2/524288
  t*: 3: 3145728 [7: 4194304]
  t0: 2: 2097152 [0: 0]
@ 0x1001 0x2001 0x7fff00000001
  t*: 2: 2097152 [6: 3145728]
  t0: 2: 2097152 [6: 3145728]
@ 0x1001 0x10000000055f3a
  t*: 1: 1048576 [1: 1048576]

MAPPED_LIBRARIES:
00001000-00002000 r-xp 00003000 08:01 12   /usr/lib/libx.so
`;

test("jemalloc's text is read stack by stack, with what was mapped", () => {
  const { interval, stacks, mappings } = readDump(DUMP, "a test");
  assert.equal(interval, 524288);
  assert.deepEqual(stacks, [
    {
      addresses: [0x1001, 0x2001, 0x7fff00000001],
      mark: null,
      inUse: { objects: 2, bytes: 2097152 },
      allocated: { objects: 6, bytes: 3145728 },
    },
    {
      addresses: [0x1001],
      mark: 0x55f3a,
      inUse: { objects: 1, bytes: 1048576 },
      allocated: { objects: 1, bytes: 1048576 },
    },
  ]);
  assert.deepEqual(mappings.map(({ start, offset, path }) => [start, offset, path]), [
    [0x1000, 0x3000, "/usr/lib/libx.so"],
  ]);
});

test("what is no dump, or not all of one, is refused", () => {
  for (const text of ["", "heap profile: 1: 2 [3: 4] @ heap/1\n", DUMP.slice(0, 120)]) {
    assert.throws(() => readDump(text, "a test"), HeapProfileError);
  }
});

test("samples are scaled by how likely they were, and come to what was allocated", () => {
  assert.deepEqual(scaleSample({ objects: 0, bytes: 0 }, 524288), { objects: 0, bytes: 0 });
  // Ten of 100 bytes with one sample each 1,000 bytes: each stands for 1 / (1 - exp(-0.1)).
  const { objects, bytes } = scaleSample({ objects: 10, bytes: 1000 }, 1000);
  assert.ok(Math.abs(objects - 105.083) < 0.001 && Math.abs(bytes - 10508.3) < 0.1);
  const large = scaleSample({ objects: 1, bytes: 2 ** 30 }, 524288);
  assert.deepEqual(large, { objects: 1, bytes: 2 ** 30 });
  const each = { objects: 10, bytes: 10 };
  assert.deepEqual(scaleSample(each, 1), each, "each allocation is sampled");
  // A million allocations, sampled as jemalloc does.
  let state = 1;
  const random = (): number => (state = state * 48271 % 2147483647) / 2147483647;
  let sampled = 0;
  for (let index = 0; index < 1e6; index++) if (random() < -Math.expm1(-200 / 4096)) sampled++;
  const scaled = scaleSample({ objects: sampled, bytes: 200 * sampled }, 4096);
  assert.ok(Math.abs(scaled.bytes / 2e8 - 1) < 0.02, `${scaled.bytes}`);
});

test("names of V8's code are read as functions with their places", () => {
  const cases: readonly (readonly [string, Partial<HeapFrame>])[] = [
    ["JS:~leak file:///srv/a%20b/app.mjs:2:21", {
      kind: "javascript",
      name: "leak",
      file: "/srv/a b/app.mjs",
      line: 2,
      column: 21,
    }],
    ["JS:o*looping /srv/app.mjs:1:1", { name: "looping" }],
    ["JS:~take /srv/node_modules/offheap/dist/mod.cjs:1:1", { kind: "runtime", name: "take" }],
    ["JS:*get size /srv/app.cjs:10:3", { name: "get size", file: "/srv/app.cjs", line: 10 }],
    ["JS:^ file:///srv/app.mjs:1:1", { name: "(anonymous)", file: "/srv/app.mjs" }],
    ["JS:+<instance_members_initializer> /x y/z.js:3:4", { file: "/x y/z.js", line: 3 }],
    ["JS:~run evalmachine.<anonymous>:1:2", { name: "run", file: "evalmachine.<anonymous>" }],
    ["JS:~alloc node:buffer:390:30", { kind: "runtime", name: "alloc", file: "node:buffer" }],
    ["JS:~op ext:core/01_core.js:9:8", { kind: "runtime", file: "ext:core/01_core.js" }],
    ["Builtin:ArrayPush", { kind: "runtime", name: "Builtin:ArrayPush", file: null, line: 0 }],
    ["RegExp:^a:1:2$", { kind: "runtime", name: "RegExp:^a:1:2$" }],
  ];
  for (const [text, wanted] of cases) {
    const found: Record<string, unknown> = { ...readCodeName(text) };
    for (const [key, value] of Object.entries(wanted)) assert.equal(found[key], value, text);
  }
});

test("names of C++ and Rust are read without parameters, and others stay as they are", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["_ZN4node6Buffer3NewEPN2v87IsolateEm", "node::Buffer::New"],
    [
      "_ZNK2v88internal8compiler10ObjectData16IsAllocationSiteEv",
      "v8::internal::compiler::ObjectData::IsAllocationSite",
    ],
    ["_ZNSt6vectorIiSaIiEE9push_backERKi", "std::vector::push_back"],
    ["_ZN1aIXadL_Z1bvEEE1cEv", "a::c"],
    ["_ZN1AILN1B1CE17ELb1EE1fEv", "A::f"],
    ["_ZN3fooC2Ev", "foo::foo"],
    ["_ZN3fooD1Ev", "foo::~foo"],
    ["_ZN12_GLOBAL__N_13barEv", "(anonymous)::bar"],
    ["_ZZN3foo3barEvENKUlvE_clEv", "foo::bar::{local}"],
    ["_Z3addii", "add"],
    ["_ZN4core3ptr13drop_in_place17h0123456789abcdefE", "core::ptr::drop_in_place"],
    [
      "_ZN49_$LT$alloc..vec..Vec$LT$T$GT$$u20$as$u20$Drop$GT$4drop17h0123456789abcdefE",
      "<alloc::vec::Vec<T> as Drop>::drop",
    ],
    ["_ZN4node", "_ZN4node"],
    ["_Zgarbage", "_Zgarbage"],
    ["malloc", "malloc"],
  ];
  for (const [mangled, wanted] of cases) assert.equal(demangle(mangled), wanted, mangled);
});

test("of code in the same place that counts which was there when the stack was taken", () => {
  const code = (name: string, offset: number, written: number): MappedCode => ({
    name,
    offset,
    written,
  });
  const [a, b] = [code("JS:*a /a.js:1:1", 0x33, 100), code("JS:^b /b.js:1:1", 0x33, 150)];
  const c = code("JS:~c /c.js:1:1", 0x33, 250);
  const script = code("Eval:~ node:internal/promise_hooks:1:1", 0x33, 260);
  const call = returnOffset([[code("JS:~x /x.js:1:1", 0x90, 1)], [c, a]]);
  assert.equal(call, 0x90, "of what can be nothing but interpreted");
  const choose = (all: MappedCode[], mark: number | null): string | null =>
    chooseCode(all, mark, call);
  assert.equal(choose([a, b], 150), a.name, "before b was written");
  assert.equal(choose([a, b], 151), b.name, "and after it");
  assert.equal(choose([a, b, c, script], 300), b.name, "c and the script return elsewhere");
  assert.equal(choose([c], 300), c.name, "what else");
  assert.equal(choose([a, b], 100), null, "nothing was there yet");
  assert.equal(choose([a, b, c], null), b.name, "without a mark the last");
});

test("a map is read in pieces, without its truncated last line", async () => {
  const path = join(directory, "perf-1.map");
  const many = Array.from(
    { length: 20_000 },
    (_, index) =>
      `${(0x100000 + index * 64).toString(16)} 40 JS:~f${index} file:///m.js:${index + 1}:1\n`,
  );
  const text = `1000 100 JS:~old /a.js:1:1\n${many.join("")}1080 20 JS:^young /b.js:2:2\n` +
    "not a line\n";
  writeFileSync(path, `${text}1000 100 JS:~later /c.js:3:3\n2000 10 cut`);
  const wanted = [0x1010, 0x1081, 0x109f, 0x10a0, 0x100000 + 19_999 * 64 + 63, 0x2001, 0x99];
  const found = await findCode(path, text.length, wanted);
  const [old, young] = ["JS:~old /a.js:1:1", "JS:^young /b.js:2:2"];
  assert.deepEqual([...found].sort(([a], [b]) => a - b), [
    [0x1010, [{ name: old, offset: 0x10, written: 0 }]],
    [0x1081, [{ name: old, offset: 0x81, written: 0 }, {
      name: young,
      offset: 1,
      written: text.indexOf("1080 20"),
    }]],
    [0x109f, [{ name: old, offset: 0x9f, written: 0 }, {
      name: young,
      offset: 0x1f,
      written: text.indexOf("1080 20"),
    }]],
    [0x10a0, [{ name: old, offset: 0xa0, written: 0 }]],
    [
      0x100000 + 19_999 * 64 + 63,
      [{
        name: "JS:~f19999 file:///m.js:20000:1",
        offset: 63,
        written: text.indexOf(many.at(-1) ?? ""),
      }],
    ],
  ]);
  const all = await findCode(path, text.length + 50, [0x1010, 0x2001]);
  const names = [...all].map(([address, code]) => [address, code.at(-1)?.name]);
  assert.deepEqual(names, [[0x1010, "JS:~later /c.js:3:3"]], "the last line has no end");
  assert.equal((await findCode(path, 0, [0x1010])).size, 0);
});

test("places are those of the sources, by a map in the file or beside it", () => {
  const map = { version: 3, sources: ["../src/a.ts"], names: [], mappings: "AAAA;AAUA;AAUA" };
  const inline = Buffer.from(JSON.stringify(map)).toString("base64");
  const out = join(directory, "out");
  mkdirSync(out);
  const write = (name: string, text: string): string => {
    writeFileSync(join(out, name), text);
    return join(out, name);
  };
  const beside = write("a.js", "x\ny\n//# sourceMappingURL=a%20.js.map\n");
  write("a .js.map", JSON.stringify(map));
  const within = write(
    "b.js",
    "//# sourceMappingURL=none\nx\n" +
      `//# sourceMappingURL=data:application/json;base64,${inline}\n`,
  );
  const without = write("c.js", "x\n");
  const broken = write("d.js", "//# sourceMappingURL=missing.map\n");
  const maps = new SourceMaps((path) => path);
  const source = join(directory, "src", "a.ts");
  for (const file of [beside, within]) {
    const found = maps.find({ file, line: 2, column: 5 });
    assert.deepEqual(found, { file: source, line: 11, column: 1 });
  }
  for (const file of [without, broken, join(out, "gone.js"), "node:fs"]) {
    assert.deepEqual(maps.find({ file, line: 2, column: 5 }), { file, line: 2, column: 5 });
  }
  assert.deepEqual([...maps.faults.keys()], [broken], "and what cannot be read is said");
});

test("a source map that is damaged, or names no source, leaves a place as it is", () => {
  const maps = new SourceMaps((path) => path);
  const sources = ["a.ts"];
  const mappings = "AAAA";
  const damaged = [null, 3, [], { version: 3, sources, mappings, sourceRoot: 5 }];
  const unnamed = [{ version: 3, sources: [null], mappings }, {
    version: 3,
    sections: [{ offset: { line: 0, column: 0 }, map: { version: 3, sources: [null], mappings } }],
  }];
  const urls = [
    "%E0%A4%A.map",
    "a%00b.map",
    ...[...damaged, ...unnamed, {}].map((map) =>
      `data:application/json;base64,${Buffer.from(JSON.stringify(map)).toString("base64")}`
    ),
  ];
  for (const [index, url] of urls.entries()) {
    const file = join(directory, `damaged-${index}.js`);
    writeFileSync(file, `x\n//# sourceMappingURL=${url}\n`);
    const place = { file, line: 1, column: 1 };
    assert.deepEqual(maps.find(place), place, url);
  }
  assert.ok(maps.faults.size >= 2 + damaged.length, "and what cannot be read is said");
});

function frame(kind: HeapFrame["kind"], name: string, more: Partial<HeapFrame> = {}): HeapFrame {
  return { kind, name, file: `/srv/app/${name}.js`, line: 7, column: 3, address: 0, ...more };
}

const MALLOC = frame("runtime", "malloc", {
  file: "/usr/lib/libjemalloc.so",
  line: 0,
  address: 33,
});
const LEAK = frame("javascript", "leak");
const MAIN = frame("javascript", "main");

function sample(bytes: number, stack: HeapFrame[], more: Partial<HeapSample> = {}): HeapSample {
  const inUse = { bytes, objects: Math.round(bytes / 10) };
  return { source: "malloc", stack, inUse, allocated: null, sampled: 2, ...more };
}

function profileOf(samples: HeapSample[], more: Partial<HeapProfile> = {}): HeapProfile {
  const mappings = [{
    start: 32,
    end: 64,
    offset: 0,
    path: "/usr/lib/libjemalloc.so",
    buildId: "ab",
  }];
  const facts = { at: 1_700_000_000_000, milliseconds: null, pid: 42, interval: 512 };
  return { ...facts, samples, mappings, absent: { blocks: "why" }, notes: ["a note"], ...more };
}

const PROFILE = profileOf([
  sample(9000, [MALLOC, LEAK, LEAK, MAIN]),
  sample(500, [MALLOC, MAIN], { source: "blocks" }),
  sample(500, [MALLOC]),
  sample(7777, [LEAK], { source: "javascript", inUse: { bytes: 7777, objects: 0 } }),
]);

test("a table counts a function once in a stack, and the runtime's for their callers", () => {
  assert.deepEqual(functionTable(PROFILE), [
    { name: "leak app/leak.js:7", own: 9000, total: 9000, ownShare: 0.9, totalShare: 0.9 },
    { name: "main app/main.js:7", own: 500, total: 9500, ownShare: 0.05, totalShare: 0.95 },
    {
      name: "[runtime] without a function of the program",
      own: 500,
      total: 500,
      ownShare: 0.05,
      totalShare: 0.05,
    },
  ]);
  const [first] = functionTable(PROFILE, { runtime: true });
  assert.deepEqual([first?.name, first?.own], ["[runtime] malloc", 10_000]);
  assert.deepEqual(functionTable(PROFILE, { sources: ["javascript"] }).map(({ own }) => own), [
    7777,
  ]);
});

test("a profile says how much of it has JavaScript on its stack, and of how many samples it is", () => {
  assert.deepEqual(factsOf(PROFILE), {
    bytes: 10_000,
    objects: 1000,
    sampled: 6,
    javaScriptShare: 0.95,
    nativeAlone: 0,
    javaScriptObjects: 7777,
  });
  assert.equal(factsOf(profileOf([])).javaScriptShare, null);
  const addon: HeapFrame = { ...LEAK, kind: "native" };
  const threads = profileOf([sample(300, [addon, MALLOC]), sample(700, [addon, MAIN])]);
  assert.equal(factsOf(threads).nativeAlone, 300);
  const said = (profile: HeapProfile) => remarks(profile).filter((text) => /addons/.test(text));
  assert.match(said(threads).join(), /^300 B was allocated by native code in threads without/);
  const shrunk = profileOf([sample(-300, [MALLOC, MAIN]), sample(-5, [addon, MALLOC])]);
  for (const none of [PROFILE, shrunk]) assert.deepEqual(said(none), []);
});

test("a profile that was written is read as it was", async () => {
  const counted = profileOf([sample(100, [MAIN], { allocated: { bytes: 300, objects: 30 } })]);
  // Of a difference: what shrank is below 0, by little and by more than 32 bits have.
  const shrunk = profileOf([sample(-50, [MAIN]), sample(-(2 ** 36), [LEAK, MAIN])]);
  for (const profile of [PROFILE, counted, shrunk]) {
    assert.deepEqual(await decodeProfile(await encodeProfile(profile), "a test"), profile);
  }
  for (const bytes of [new Uint8Array([1, 2, 3]), new Uint8Array(0)]) {
    await assert.rejects(decodeProfile(bytes, "a test"), HeapProfileError);
  }
});

test("a difference has what grew and what shrank, whatever the addresses are", () => {
  const moved = { ...LEAK, address: 99 };
  const before = profileOf([sample(1000, [LEAK, MAIN]), sample(300, [MAIN]), sample(50, [MALLOC])]);
  const after = profileOf(
    [sample(4000, [moved, MAIN]), sample(100, [MAIN]), sample(50, [MALLOC])],
    {
      at: before.at + 5000,
    },
  );
  const difference = profileDifference(before, after);
  assert.equal(difference.milliseconds, 5000);
  assert.deepEqual(functionTable(difference).map(({ name, own, total }) => [name, own, total]), [
    ["leak app/leak.js:7", 3000, 3000],
    ["main app/main.js:7", -200, 2800],
  ]);
  const sharesOf = (profile: HeapProfile) =>
    functionTable(profile).map(({ ownShare, totalShare }) => [ownShare, totalShare]);
  assert.deepEqual(sharesOf(difference), [[3000 / 3200, 3000 / 3200], [-200 / 3200, 2800 / 3200]]);
  // What grew has a share of its own where as much has shrunk, or more.
  assert.deepEqual(sharesOf(profileOf([sample(100, [LEAK]), sample(-300, [MAIN])])), [
    [-0.75, -0.75],
    [0.25, 0.25],
  ]);
  assert.deepEqual(sharesOf(profileOf([sample(0, [MAIN])])), [[0, 0]]);
});

test("blocks that malloc's samples have are left out, and the others are scaled", () => {
  const block = {
    stack: "at async leak (file:///srv/app.mjs:3:9)\nat file:///srv/app.mjs:9:1",
    size: 8,
  };
  const samples = blockSamples(
    [
      { ...block, object: "/lib/a.so", factor: 10 },
      { ...block, object: "/lib/a.so", factor: 5 },
      { ...block, object: null, factor: 100 },
    ],
    (object) => object === null,
  );
  assert.deepEqual(samples.map(({ inUse, sampled }) => ({ inUse, sampled })), [
    { inUse: { bytes: 120, objects: 15 }, sampled: 2 },
  ]);
  assert.deepEqual(samples[0]?.stack.map(functionName), [
    "leak srv/app.mjs:3",
    "(anonymous) srv/app.mjs:9",
  ]);
  const [own] = framesOfText("at new Pool (/srv/p.js:1:2)");
  assert.deepEqual([own?.name, own?.file, own?.line, own?.column], ["Pool", "/srv/p.js", 1, 2]);
});

test("growth is noticed over the least since the last profile, and the latest profiles are kept", () => {
  const gauge = new GrowthGauge(100, 1000);
  const grown = (...sizes: number[]) => sizes.map((each) => gauge.hasGrown(each));
  assert.deepEqual(grown(1050, 1100, 900, 999, 1000), [false, true, false, false, true]);
  // What came while a profile was taken is in it.
  gauge.restart(1070);
  assert.deepEqual(grown(1100, 1169, 1170), [false, false, true]);
  const place = { directory: join(directory, "kept", "profiles"), keep: 2 };
  for (let at = 1; at <= 4; at++) keepProfile(place, { pid: 7, at }, new Uint8Array([at]));
  keepProfile(place, { pid: 77, at: 0 }, new Uint8Array());
  assert.deepEqual(readdirSync(place.directory).sort(), [
    "heap-7-1970-01-01T00-00-00.003Z.pb.gz",
    "heap-7-1970-01-01T00-00-00.004Z.pb.gz",
    "heap-77-1970-01-01T00-00-00.000Z.pb.gz",
  ]);
});

test("a flame graph asks nobody for anything, and its data ends no element", () => {
  const hostile = frame("javascript", "</script><script>alert(1)</script>");
  const page = renderFlameGraph(profileOf([sample(100, [hostile, MAIN])], { notes: ["<b>&"] }));
  // Namespaces of SVG and XML are names, and no addresses.
  const rest = page.replaceAll(
    /http:\/\/www\.w3\.org\/\d{4}\/(?:svg|xhtml|xlink|xmlns\/?)|http:\/\/www\.w3\.org\/XML\/1998\/namespace/g,
    "",
  );
  assert.doesNotMatch(rest, /https?:\/\/|\b(?:src|href|import)=?\(?["'](?!xlink)/);
  assert.equal(page.match(/<script/g)?.length, 2);
  assert.equal(page.match(/<\/script>/g)?.length, 2);
  assert.match(page, /&lt;b&gt;&amp;/);
  const [, json = ""] = /id="profile">(.*?)<\/script>/s.exec(page) ?? [];
  const { frames, sets } = JSON.parse(json);
  assert.deepEqual(sets[0].stacks, [[100, 1, 2]]);
  assert.equal(frames[1][0], functionName(hostile));
});
