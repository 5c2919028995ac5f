/**
 * Programs that leak in a function that is known: a profile has to name it, as Go's pprof reads it.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { build } from "esbuild";
import { runtimeInfo } from "../../../ffi/mod.ts";
import { compileShared } from "../../support/compile.ts";
import { IS_CHOSEN, onceAPush } from "../../support/effort.ts";
import { findPprof, pprofTop, type TopRow } from "../../support/pprof.ts";
import { directory, heap, PREPARED, profileOfLeak, withHolder } from "../../support/profiled.ts";
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

/** The part of a profile that lies under a function, in percent. */
function under(rows: readonly TopRow[], name: string): number {
  const own = rows.filter((row) => row.name === name || row.name.startsWith(`${name} `));
  assert.ok(own.length > 0, `${name} is not among ${rows.map((row) => row.name).join(", ")}`);
  return Math.max(...own.map(({ cumulative }) => cumulative));
}

/** How often a program says that a share is below functions of JavaScript. */
function shareOf(text: string): number {
  return Number(/([\d.]+) % of it below functions of its JavaScript/.exec(text)?.[1]);
}

/** Memory that comes by a native call is under the function that makes it, and under that one's caller. */
function assertCalled(text: string, file: string, name: string, caller: string): void {
  for (const each of [name, caller]) {
    const share = Number(new RegExp(`([\\d.]+) % {2}${each} .*heap-holding`).exec(text)?.[1]);
    assert.ok(share >= 95, text);
  }
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
    await withHolder(PREPARED, [way], async (child) => {
      const file = await profileOfLeak(child, way);
      const rows = pprofTop(pprof, file);
      assert.ok(under(rows, "leakBuffers") >= 95, JSON.stringify(rows.slice(0, 20)));
      if (way === "async") assert.ok(under(rows, "leakAsync") >= 95);
      const hidden = pprofTop(pprof, file, "-hide=^\\[runtime\\]");
      const [largest] = hidden.toSorted((a, b) => b.flat - a.flat);
      const [, line = ""] = /^leakBuffers .*heap-holding\.ts:(\d+)$/.exec(largest?.name ?? "") ??
        [];
      assert.match(FIXTURE[Number(line) - 1] ?? "", /function leakBuffers/, String(largest?.name));
      const text = await heap(file);
      assert.ok(shareOf(text) >= 95, text);
      assert.match(text, /^[\d,]+ samples, one every 64\.0 KiB on average, stand for/m);
    });
  });
}

test("a native library's leak is under its function, and under the JavaScript that calls it", {
  ...onGlibc,
}, async () => {
  const library = compileShared("heap-native.c", "libheap-native.so");
  await withHolder(PREPARED, ["native", library], async (child) => {
    const file = await profileOfLeak(child, "native");
    const text = await heap(file);
    assert.match(
      text,
      /^ *\d+\.\d MiB +(?:9[5-9]|100)\.\d % .* make_native_block libheap-native\.so$/m,
      text,
    );
    if (pprof !== "") assert.ok(under(pprofTop(pprof, file), "keep_native") >= 95);
    if (!namesCode) return;
    assertCalled(text, file, "leakNative", "native");
  });
});

const ofThreads = onceAPush("threads without JavaScript are alike", onGlibc);

test("what sharp allocates in the runtime's threads is under libvips' function, and that is said", {
  ...ofThreads,
}, async () => {
  await withHolder(PREPARED, ["sharp"], async (child) => {
    const text = await heap(await profileOfLeak(child, "sharp"));
    assert.match(text, / 9[5-9]\.\d % .* vips_image_write_to_memory libvips-cpp\.so\S*$/m, text);
    if (namesCode) {
      assert.match(text, /MiB was allocated by native code in threads without JavaScript/);
    }
  });
});

test("blocks of the allocator that serves the process are under who allocated them", {
  ...withNames,
}, async () => {
  await withHolder(PREPARED, ["blocks", "jemalloc"], async (child) => {
    const file = await profileOfLeak(child, "blocks");
    const text = await heap(file);
    assertCalled(text, file, "leakBlocks", "blocks");
  });
});

test("lines are those of the TypeScript, by maps of compilers or the runtime's own", {
  ...withNames,
}, async () => {
  const source = join(directory, "typed.ts");
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
    'process.stdin.on("data", (text: Buffer) => {',
    "  const line = String(text).trim();",
    '  if (line === "leak") leakTyped(40);',
    "  console.log(line);",
    "});",
    'import process from "node:process";',
    "export type { Other };",
    "",
  ];
  writeFileSync(source, lines.join("\n"));
  writeFileSync(join(directory, "package.json"), '{ "type": "module" }');
  const ways = [
    { file: source, sourcemap: null },
    { file: join(directory, "inline.mjs"), sourcemap: "inline" },
    { file: join(directory, "beside.mjs"), sourcemap: "linked" },
  ] as const;
  for (const { file, sourcemap } of ways) {
    // A compiler's map is read in the same way in each runtime; its own is not.
    if (sourcemap !== null && !IS_CHOSEN) continue;
    if (sourcemap !== null) {
      await build({
        entryPoints: [source],
        outfile: file,
        sourcemap,
        bundle: true,
        format: "esm",
        platform: "node",
        banner: { js: "\n\n\n" },
      });
    }
    await withHolder(PREPARED, [], async (child) => {
      const text = await heap(await profileOfLeak(child, "typed"));
      assert.match(text, / [34]\d\.\d MiB .* leakTyped [^ ]*typed\.ts:9$/m, `${file}: ${text}`);
    }, sourceCommand(file));
  }
});
