/**
 * A runtime's map of its code: where it is looked for, and what is said of it.
 */
import assert from "node:assert/strict";
import { mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { RUNTIME_PROGRAMS, type RuntimeProgram } from "../../../ffi/programs.ts";
import { findCodeMap, type MappingProcess } from "../../../lib/watch/heap/code-map.ts";
import { temporaryDirectory } from "../../support/compile.ts";
import { heap, withHolder } from "../../support/profiled.ts";
import { FIXTURES, runtimeCommand } from "../../support/runtime.ts";
import { runtimeInfo } from "../../../ffi/mod.ts";
import { HAS_UNWINDER } from "../../support/sampled.ts";
import { skipUnless } from "../../support/skip.ts";

function runtime(name: string): RuntimeProgram {
  const found = RUNTIME_PROGRAMS.find((each) => each.runtime === name);
  assert.ok(found !== undefined);
  return found;
}

const PREPARED = { NODE_OPTIONS: "--perf-basic-prof", DENO_V8_FLAGS: "--perf-basic-prof" };

test("without a map it is said why, by the runtime and its environment", () => {
  const directory = temporaryDirectory();
  const said = (name: string, environment: Record<string, string>): string => {
    const found = findCodeMap(runtime(name), { directory, ownPid: 5, environment });
    assert.equal(found.codeMap, null);
    return found.notes.join("\n");
  };
  assert.match(said("node", {}), /its NODE_OPTIONS is without --perf-basic-prof\. What started it/);
  assert.match(
    said("deno", PREPARED),
    /"\/tmp\/perf-5\.map", is not there, or is another process's/,
  );
  assert.match(
    said("bun", {}),
    /^Bun writes no map [^]*Bun's Buffers are in an allocator of its own/,
  );
  const other = findCodeMap(null, { directory, ownPid: 5, environment: {} });
  assert.deepEqual(other, { codeMap: null, notes: [] }, "a program that is no runtime");
});

/** A process's directory with a map in its `/tmp`. */
function processWithMap(): { readonly place: MappingProcess; readonly path: string } {
  const directory = temporaryDirectory();
  const path = join(directory, "root", "tmp", "perf-5.map");
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, "1000 10 JS:*a\n");
  mkdirSync(join(directory, "fd"));
  symlinkSync("/dev/null", join(directory, "fd", "0"));
  return { place: { directory, ownPid: 5, environment: PREPARED }, path };
}

test("a map that the process does not write, as one of an earlier process of its ID, is not read", () => {
  const { place, path } = processWithMap();
  const notRead = () => {
    const { codeMap, notes } = findCodeMap(runtime("node"), place);
    assert.equal(codeMap, null);
    assert.match(notes.join(), /"\/tmp\/perf-5\.map", is not there, or is another process's/);
  };
  notRead();
  const descriptor = join(place.directory, "fd", "9");
  symlinkSync(path, descriptor);
  assert.equal(findCodeMap(runtime("node"), place).codeMap?.path, path);
  const other = join(temporaryDirectory(), "perf-5.map");
  writeFileSync(other, "1000 10 JS:*a\n");
  rmSync(descriptor);
  symlinkSync(other, descriptor);
  notRead();
});

test("a map that has become large is used, and its size is said", () => {
  const { place, path } = processWithMap();
  symlinkSync(path, join(place.directory, "fd", "9"));
  assert.deepEqual(findCodeMap(runtime("node"), place), {
    codeMap: { path, bytes: 14 },
    notes: [],
  });
  truncateSync(path, 70 * 2 ** 20);
  const { codeMap, notes } = findCodeMap(runtime("node"), place);
  assert.equal(codeMap?.bytes, 70 * 2 ** 20);
  assert.match(notes.join(), /"\/tmp\/perf-5\.map", has grown to 70\.0 MiB\. It grows with each/);
});

test("a program whose flags were replaced on the way is profiled, and that is said", {
  ...skipUnless(
    HAS_UNWINDER && runtimeInfo().name !== "bun",
    "its engine writes no map of its code",
  ),
}, async () => {
  const program = [
    ...["sh", "-c", 'unset NODE_OPTIONS DENO_V8_FLAGS; exec "$0" "$@"'],
    ...runtimeCommand(join(FIXTURES, "heap-holding.ts")),
  ];
  await withHolder(["--heap-profiling", "--active"], async ({ pid }) => {
    const text = await heap("--pid", String(pid));
    assert.match(text, /is without --perf-basic-prof\. What started it has replaced what/, text);
    assert.match(text, / 0\.0 % of it below functions of its JavaScript/, text);
  }, program);
});
