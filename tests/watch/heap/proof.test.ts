/**
 * Programs that leak in a function that is known: a profile has to name it, as Go's pprof reads it.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { after, test } from "node:test";
import { build } from "esbuild";
import { runtimeInfo } from "../../../ffi/mod.ts";
import { profileDifference } from "../../../lib/watch/heap/difference.ts";
import { factsOf } from "../../../lib/watch/heap/facts.ts";
import { encodeProfile } from "../../../lib/watch/heap/pprof.ts";
import { functionTable } from "../../../lib/watch/heap/table.ts";
import { switchSampling, takeHeapProfile } from "../../../lib/watch/heap/take.ts";
import type { HeapProfile } from "../../../lib/watch/heap/types.ts";
import { reliability, remarks } from "../../../lib/watch/heap/words.ts";
import { type AnsweringChild, shared } from "../../support/child.ts";
import { compileShared } from "../../support/compile.ts";
import { IS_CHOSEN, onceAPush } from "../../support/effort.ts";
import { findPprof, pprofTop, type TopRow } from "../../support/pprof.ts";
import { directory, heap, PREPARED, withHolder } from "../../support/profiled.ts";
import { FIXTURES, sourceCommand } from "../../support/runtime.ts";
import { skipUnless } from "../../support/skip.ts";

const glibc = process.platform === "linux" &&
  Reflect.get(process.report?.getReport() ?? {}, "header")?.glibcVersionRuntime !== undefined;
const onGlibc = skipUnless(glibc, "heap profiling is for Linux with glibc");
const namesCode = runtimeInfo().name !== "bun";
const withNames = glibc
  ? skipUnless(namesCode, "Bun writes no map of its code: JavaScript has no names there")
  : onGlibc;

const found = glibc ? findPprof() : "not looked for";
const withPprof = typeof found === "string" ? skipUnless(false, found) : withNames;
const pprof = typeof found === "string" ? "" : found.path;

const FIXTURE = readFileSync(join(FIXTURES, "heap-holding.ts"), "utf8").split("\n");

/** The program that leaks in all ways. */
const holder = shared<AnsweringChild>((use) =>
  withHolder(PREPARED, async (child) => {
    await switchSampling(child.pid, "start");
    await use(child);
  })
);
after(holder.end);

/** A leak: what has come by it, also as a file, and all that there was then. */
interface Leak {
  readonly profile: HeapProfile;
  readonly file: string;
  readonly whole: HeapProfile;
}

/** Has the program leak in a way. */
async function profileOfLeak(way: string, ...argument: readonly string[]): Promise<Leak> {
  const { pid, ask } = await holder.get();
  await ask(`prepare ${way}`);
  const before = await takeHeapProfile(pid);
  await ask(["leak", way, ...argument].join(" "));
  const whole = await takeHeapProfile(pid);
  const profile = profileDifference(before, whole);
  const file = join(directory, `${way}.pb.gz`);
  writeFileSync(file, await encodeProfile(profile));
  return { profile, file, whole };
}

/** The part of a profile that is under a function, in percent. */
function under(rows: readonly TopRow[], name: string): number {
  const own = rows.filter((row) => row.name === name || row.name.startsWith(`${name} `));
  assert.ok(own.length > 0, `${name} is not among ${rows.map((row) => row.name).join(", ")}`);
  return Math.max(...own.map(({ cumulative }) => cumulative));
}

/** What offheap shows of a profile, without the runtime. */
function shown(profile: HeapProfile): TopRow[] {
  return functionTable(profile).map(({ name, ownShare, totalShare }) => ({
    name,
    flat: 100 * ownShare,
    cumulative: 100 * totalShare,
  }));
}

/** Memory that comes by a native call is under the function that makes it, and under that one's caller. */
function assertCalled(profile: HeapProfile, file: string, name: string, caller: string): void {
  const rows = shown(profile).filter((row) => row.name.includes("heap-holding"));
  for (const each of [name, caller]) assert.ok(under(rows, each) >= 95, JSON.stringify(rows));
  if (pprof !== "") assert.ok(under(pprofTop(pprof, file), name) >= 95);
}

for (const way of ["buffers", "async", "worker", "many"]) {
  const title = {
    buffers: "buffers",
    async: "buffers in asynchronous functions",
    worker: "buffers in a Worker",
    many: "buffers after 10,000 functions were compiled",
  }[way];
  const options = way === "buffers"
    ? withPprof
    : onceAPush("V8 and the shim name functions alike", withPprof);
  test(`a leak of ${title} is under the function that leaks`, options, async () => {
    const { profile, file } = await profileOfLeak(way);
    const rows = pprofTop(pprof, file);
    assert.ok(under(rows, "leakBuffers") >= 95, JSON.stringify(rows.slice(0, 20)));
    if (way === "async") assert.ok(under(rows, "leakAsync") >= 95);
    const hidden = pprofTop(pprof, file, "-hide=^\\[runtime\\]");
    const [largest] = hidden.toSorted((a, b) => b.flat - a.flat);
    const [, line = ""] = /^leakBuffers .*heap-holding\.ts:(\d+)$/.exec(largest?.name ?? "") ?? [];
    assert.match(FIXTURE[Number(line) - 1] ?? "", /function leakBuffers/, String(largest?.name));
    assert.ok((factsOf(profile).javaScriptShare ?? 0) >= 0.95, JSON.stringify(rows.slice(0, 20)));
    assert.match(
      reliability(profile),
      /^[\d,]+ samples, one every 64\.0 KiB on average, stand for/,
    );
  });
}

test("a native library's leak is under its function, and under the JavaScript that calls it", {
  ...onGlibc,
}, async () => {
  const library = compileShared("heap-native.c", "libheap-native.so");
  const { profile, file } = await profileOfLeak("native", library);
  const text = await heap(file);
  assert.match(
    text,
    /^ *\d+\.\d MiB +(?:9[5-9]|100)\.\d % .* make_native_block libheap-native\.so$/m,
    text,
  );
  if (pprof !== "") assert.ok(under(pprofTop(pprof, file), "keep_native") >= 95);
  if (namesCode) assertCalled(profile, file, "leakNative", "native");
});

const ofThreads = onceAPush("threads without JavaScript are alike", onGlibc);

test("what sharp allocates in the runtime's threads is under libvips' function, and that is said", {
  ...ofThreads,
}, async () => {
  const { profile, whole } = await profileOfLeak("sharp");
  const rows = shown(profile).filter(({ name }) => /libvips-cpp\.so\S*$/.test(name));
  assert.ok(under(rows, "vips_image_write_to_memory") >= 95, JSON.stringify(rows));
  if (namesCode) {
    const text = remarks(whole).join("\n");
    assert.match(text, /MiB was allocated by native code in threads without JavaScript/);
  }
});

test("blocks of the allocator that serves the process are under who allocated them", {
  ...withNames,
}, async () => {
  const { profile, file } = await profileOfLeak("blocks", "jemalloc");
  assertCalled(profile, file, "leakBlocks", "blocks");
});

test("lines are those of the TypeScript, by maps of compilers or the runtime's own", {
  ...withNames,
}, async () => {
  const lines = [
    "interface Kept { readonly bytes: Buffer }",
    "",
    "type Many = readonly Kept[];",
    "",
    "const kept: Kept[] = [];",
    "/** Of no use at run time. */",
    "interface Other extends Kept { readonly more: Many }",
    "",
    "export function leakTyped(count: number): Many {",
    "  for (let i = 0; i < count; i++) kept.push({ bytes: Buffer.alloc(1 << 20, 1) });",
    "  return kept;",
    "}",
    'import { Buffer } from "node:buffer";',
    "export type { Other };",
    "",
  ];
  writeFileSync(join(directory, "package.json"), '{ "type": "module" }');
  // A compiler's map is read in the same way in each runtime; its own is not.
  const maps = IS_CHOSEN ? ["own", "inline", "linked"] as const : ["own"] as const;
  const modules: string[] = [];
  for (const sourcemap of maps) {
    const source = join(directory, `${sourcemap}.ts`);
    writeFileSync(source, lines.join("\n"));
    if (sourcemap === "own") {
      modules.push(source);
      continue;
    }
    const outfile = join(directory, `${sourcemap}.mjs`);
    modules.push(outfile);
    await build({
      entryPoints: [source],
      outfile,
      sourcemap,
      bundle: true,
      format: "esm",
      platform: "node",
      banner: { js: "\n\n\n" },
    });
  }
  const program = join(directory, "typed.mjs");
  writeFileSync(
    program,
    [
      'import process from "node:process";',
      ...modules.map((path, index) =>
        `import { leakTyped as leak${index} } from ${JSON.stringify(path)};`
      ),
      'process.stdin.on("data", (text) => {',
      "  const line = String(text).trim();",
      `  if (line === "leak") { ${modules.map((_, index) => `leak${index}(12);`).join(" ")} }`,
      "  console.log(line);",
      "});",
    ].join("\n"),
  );
  await withHolder(PREPARED, async ({ pid, ask }) => {
    await switchSampling(pid, "start");
    await ask("leak");
    const rows = functionTable(await takeHeapProfile(pid));
    for (const map of maps) {
      const row = rows.find(({ name }) => /^leakTyped \S*?(\w+)\.ts:9$/.exec(name)?.[1] === map);
      const mebibytes = (row?.total ?? 0) / 2 ** 20;
      assert.ok(mebibytes > 9 && mebibytes < 15, `${map}: ${JSON.stringify(rows)}`);
    }
  }, sourceCommand(program));
});
