import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { LibraryName } from "../../lib/library/manifest.ts";
import { resolveLibrary } from "../../lib/library/resolve.ts";
import { libraryVersion } from "../../lib/library/version.ts";
import { mimallocOptions } from "../../lib/allocators/mimalloc/options.ts";
import { decodeMimallocVersion } from "../../lib/allocators/mimalloc/version.ts";
import { compileShared, temporaryDirectory } from "../support/compile.ts";
import { builtLibrary } from "../support/runtime.ts";

test("mimalloc's packed version is decoded in each of its forms", () => {
  const cases: readonly [number, string][] = [
    [100, "1.0.0"],
    [209, "2.0.9"],
    [3012, "3.0.12"],
    [3208, "3.2.8"],
    [212, "2.1.2"],
    [9999, "9.9.99"],
    [10_000, "1.0.0"],
    [20_401, "2.4.1"],
    [30_403, "3.4.3"],
    [31_299, "3.12.99"],
    [999_999, "99.99.99"],
  ];
  for (const [packed, version] of cases) assert.equal(decodeMimallocVersion(packed), version);
});

test("a number that is no version of mimalloc is refused, and shown", () => {
  for (const packed of [0, -1, 99, 1_000_000, 2.5, 209.5, NaN, Infinity]) {
    assert.throws(
      () => decodeMimallocVersion(packed),
      new RangeError(
        `Cannot decode a mimalloc version: mi_version() must give 100 to 999999; got ${packed}`,
      ),
    );
  }
});

test("mimalloc's options are those of its version, by their numbers", () => {
  for (
    const [version, own, other] of [
      ["2.0.9", "decommit_delay", "purge_delay"],
      ["2.1.1", "decommit_delay", "purge_delay"],
      ["2.1.2", "purge_delay", "decommit_delay"],
      ["2.4.1", "abandoned_page_purge", "abandoned_page_decommit"],
      ["3.4.3", "purge_delay", "decommit_delay"],
      ["3.4.3", "purge_decommits", "abandoned_page_purge"],
    ] as const
  ) {
    const options = mimallocOptions(version);
    const names = options.map(({ name }) => name);
    assert.ok(names.includes(own) && names.includes("show_errors"), version);
    assert.ok(!names.includes(other), version);
    const numbers = options.map(({ number }) => number);
    assert.deepEqual(numbers, [...new Set(numbers)].sort((a, b) => a - b));
  }
});

function versionOf(name: LibraryName, path: string): string | null {
  return libraryVersion(resolveLibrary({ name, path }));
}

/** The version of a file that nothing was asked of before. */
function versionOfFile(name: LibraryName, path: string): string | null {
  return libraryVersion({ name, path, origin: "option", sha256: "", manifest: null, attempts: [] });
}

/** A copy of a built library without its manifest. */
function withoutManifest(name: string): string {
  const path = join(temporaryDirectory(), `lib${name}.so`);
  writeFileSync(path, readFileSync(builtLibrary(name)));
  return path;
}

for (const name of ["jemalloc", "mimalloc"] as const) {
  test(`${name}'s version is its manifest's, and without one the library's own`, () => {
    const manifest = JSON.parse(readFileSync(`${builtLibrary(name)}.json`, "utf8"));
    assert.equal(versionOf(name, builtLibrary(name)), manifest.version);
    const path = withoutManifest(name);
    assert.equal(versionOf(name, path), manifest.version);
    writeFileSync(`${path}.json`, JSON.stringify({ ...manifest, version: "7.8.9" }));
    assert.equal(versionOf(name, path), "7.8.9");
  });
}

test("jemalloc's version is read from its file: some builds cannot be loaded at run time", () => {
  const directory = temporaryDirectory();
  mkdirSync(join(directory, "x"));
  const commit = "54eaed1d8b56b1aa528be3bdd1877e59c56fa90c";
  const file = (text: string): string => {
    const path = join(directory, "x", "libjemalloc.so");
    writeFileSync(path, `\x7fELF\0 1.2.3 \0${text}\0`, "latin1");
    return path;
  };
  assert.equal(versionOfFile("jemalloc", file(`5.3.1-0-g${commit}`)), "5.3.1");
  for (const text of ["", "5.3.0", "5.3.0-0-g54eaed1", `5.3-0-g${commit}`, `5.3.0-0-g${commit}0`]) {
    assert.equal(versionOfFile("jemalloc", file(text)), null, text);
  }
});

test("a library that is no mimalloc, cannot be loaded, or gives no version has none", () => {
  assert.equal(versionOf("mimalloc", withoutManifest("jemalloc")), null);
  const text = join(temporaryDirectory(), "libtext.so");
  writeFileSync(text, "no library");
  assert.equal(versionOfFile("mimalloc", text), null);
  const silent = compileShared("decoy-version.c", "versions-silent.so", ["-Dmi_version=other"]);
  assert.equal(versionOf("mimalloc", silent), null);
  const wrong = compileShared("wrong-version.c", "versions-wrong.so");
  assert.equal(versionOf("mimalloc", wrong), null);
  assert.equal(versionOf("offheap", withoutManifest("offheap")), null);
});
