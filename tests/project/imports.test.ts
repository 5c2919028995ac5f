import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { test } from "node:test";
import { isLoadable, KNOWN_ALLOCATORS } from "../../lib/allocators/mod.ts";
import { ROOT } from "../support/runtime.ts";

/** The folders whose files are looked at. */
const FOLDERS = ["ffi", "lib", "packages", "tools", "examples", "scripts", "bench", "tests"];

/** Imports and exports from other files, as `deno fmt` writes them, and imports at run time. */
const IMPORT =
  /^\s*(?:import|export)\s(?:[^;"']*?\sfrom\s)?"(\.[^"]+\.ts)"|\bimport\(\s*"(\.[^"]+\.ts)"/gm;

function readFiles(): ReadonlyMap<string, readonly string[]> {
  const files = FOLDERS.flatMap((folder) =>
    readdirSync(`${ROOT}/${folder}`, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts") && !name.includes("node_modules"))
      .map((name) => posix.join(folder, name))
  );
  return new Map(
    [...files, "mod.ts"].map((file) => {
      const text = readFileSync(`${ROOT}/${file}`, "utf8");
      const imports = [...text.matchAll(IMPORT)]
        .map(([, from, dynamic]) => posix.join(posix.dirname(file), from ?? dynamic ?? ""));
      return [file, imports];
    }),
  );
}

const files = readFiles();

/** A way from a file back to itself; empty where there is none. */
function circleOf(start: string): string[] {
  const before = new Map<string, string>();
  const waiting = [start];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    for (const next of files.get(file) ?? []) {
      if (next === start) {
        const way = [start];
        for (let at = file; at !== start; at = before.get(at) ?? start) way.unshift(at);
        return [start, ...way];
      }
      if (before.has(next)) continue;
      before.set(next, file);
      waiting.push(next);
    }
  }
  return [];
}

test("no file imports itself by way of others, not even for a type", () => {
  assert.ok(files.size > 300, "the files are found");
  assert.ok((files.get("lib/memory/open.ts")?.length ?? 0) > 5, "and their imports");
  const circles = [...files.keys()].map(circleOf).filter((way) => way.length > 0);
  assert.deepEqual(circles.map((way) => way.join(" -> ")), []);
});

/** Each may import what is before it; the first that fits a file is its own. */
const LAYERS: readonly (readonly [name: string, fits: RegExp])[] = [
  ["ffi", /^ffi\//],
  ["lib's own files", /^lib\/(?!cli\.ts)[^/]+\.ts$/],
  ["lib/binary", /^lib\/binary\//],
  ["lib/system", /^lib\/system\//],
  ["lib/allocators", /^lib\/allocators\//],
  ["lib/library", /^lib\/library\//],
  ["lib/verify", /^lib\/verify\//],
  ["lib/run", /^lib\/run\//],
  ["lib/memory", /^lib\/memory\//],
  ["lib/watch", /^lib\/watch\//],
  ["mod.ts", /^mod\.ts$/],
  ["lib/cli", /^lib\/cli\b/],
  ["examples", /^examples\//],
  ["packages", /^packages\//],
  ["tools", /^tools\//],
  ["scripts", /^scripts\//],
  ["bench", /^bench\//],
  ["tests", /^tests\//],
];

function layerOf(file: string): number {
  return LAYERS.findIndex(([, fits]) => fits.test(file));
}

/** They measure the npm package, which `scripts/npm` makes and tries. */
const OF_THE_PACKAGE: readonly string[] = ["bench/import.bench.ts", "bench/packaged.ts"];

test("imports between folders go one way, and benchmarks need no scripts", () => {
  const wrong = [...files].flatMap(([file, imports]) =>
    imports.filter((other) => {
      const layer = layerOf(other);
      const script = file.startsWith("bench/") && other.startsWith("scripts/");
      return layer > layerOf(file) || layer < 0 || (script && !OF_THE_PACKAGE.includes(file));
    }).map((other) => `${file} -> ${other}`)
  );
  assert.deepEqual(wrong, []);
});

test("no file of lib but an allocator's own compares its name", () => {
  // "system", "glibc" and "musl" are names of other things, too.
  const names = KNOWN_ALLOCATORS.filter(isLoadable).join("|");
  const comparison = new RegExp(`[=!]== "(${names})"|"(${names})" [=!]==|case "(${names})"`);
  const wrong = [...files.keys()]
    .filter((file) => file.startsWith("lib/") && layerOf(file) !== layerOf("lib/allocators/mod.ts"))
    .flatMap((file) =>
      readFileSync(`${ROOT}/${file}`, "utf8").split("\n")
        .filter((line) => comparison.test(line)).map((line) => `${file}: ${line.trim()}`)
    );
  assert.deepEqual(wrong, []);
});

/** Names from other modules, as `deno fmt` writes them. */
const NAMES = /^(?:import|export) \{([^}]*)\} from ("[^"]+");$/gm;

test("a statement that names nothing but types says so itself: dnt drops it otherwise, and esbuild does not", () => {
  const found = [...files.keys()].flatMap((file) =>
    [...readFileSync(`${ROOT}/${file}`, "utf8").matchAll(NAMES)]
      .map(([, names = "", from]) => ({ where: `${file}: from ${from}`, names: names.split(",") }))
  );
  assert.ok(found.length > 1000, "the statements are found");
  const wrong = found.filter(({ names }) => names.every((name) => /^\s*(?:type |$)/.test(name)));
  assert.deepEqual(wrong.map(({ where }) => where), []);
});
