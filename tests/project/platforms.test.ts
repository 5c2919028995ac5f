import assert from "node:assert/strict";
import { librariesOf } from "../../lib/library/manifest.ts";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type Answers, columnsOf, type ProbeAnswer } from "../../scripts/platforms/columns.ts";
import {
  chooseRows,
  PLATFORM_RUNTIMES,
  rowsOn,
  runtimePackage,
} from "../../scripts/platforms/matrix.ts";
import {
  markdownTable,
  readResults,
  trimReport,
  withTable,
} from "../../scripts/platforms/readme-table.ts";
import { namespacePrefix } from "../../scripts/platforms/namespace.ts";
import { checkFiles, missingLibraries } from "../../scripts/platforms/static-check.ts";
import { summarise, tableOf } from "../../scripts/platforms/table.ts";
import { CORE, EXCEPTIONS, selectTests } from "../../scripts/platforms/test-selection.ts";
import { COLUMNS, type PlatformReport, type RowReport } from "../../scripts/platforms/types.ts";
import { PINNED_PACKAGES } from "../../tools/packages/npm-package.ts";
import { TARGETS } from "../../lib/library/targets.ts";
import type { Evidence, Verification } from "../../lib/verify/types.ts";
import { testFiles, testName } from "../../scripts/testing/files.ts";
import { ROOT } from "../support/runtime.ts";

const HOST = "linux-x64-gnu";
const FILES = testFiles();
const NAMES = FILES.map(testName).sort();

function row(changes: Partial<RowReport> = {}): RowReport {
  const result = { outcome: "pass", detail: "seen" } as const;
  return {
    target: "linux-arm64-gnu",
    runtime: "node24",
    version: "24.21.0",
    way: "qemu",
    columns: { load: result, version: result, allocate: result, preload: result, verify: result },
    tests: null,
    notes: [],
    milliseconds: 1234,
    ...changes,
  };
}

function report(...rows: RowReport[]): PlatformReport {
  const date = "2026-01-02T03:04:05.000Z";
  return { reportVersion: 1, offheap: "0.0.0", date, host: HOST, sharedTests: true, rows };
}

test("every target has a row, and the machine's own one for each runtime", () => {
  const rows = rowsOn(HOST);
  assert.deepEqual([...new Set(rows.map(({ target }) => target))], TARGETS.map(({ name }) => name));
  const own = rows.filter(({ target }) => target === HOST);
  assert.deepEqual(own.map(({ runtime }) => runtime), PLATFORM_RUNTIMES);
  assert.ok(own.every(({ way }) => way === "native"));
  // Elsewhere nothing is emulated: what is set up is for x64 Linux.
  const other = rowsOn("darwin-arm64");
  assert.equal(other.find(({ target }) => target === "linux-arm64-gnu")?.way, "static");
  assert.equal(other.filter(({ way }) => way === "native").length, PLATFORM_RUNTIMES.length);
});

test("the runtime of each emulated row is a pinned package", () => {
  for (const { target, runtime, way } of rowsOn(HOST)) {
    if (way === "native" || runtime === null) continue;
    const wanted = runtimePackage(target, runtime);
    const pin = PINNED_PACKAGES.find(({ name }) => name === wanted?.name);
    assert.notEqual(wanted, null, `${target} ${runtime}`);
    assert.ok(
      PINNED_PACKAGES.some(({ name, version }) =>
        name === wanted?.name && version === wanted.version
      ),
      `${wanted?.name}@${wanted?.version}, not ${pin?.version}`,
    );
  }
});

test("rows are chosen by target and runtime, and an unknown name is refused", () => {
  const rows = rowsOn(HOST);
  assert.deepEqual(chooseRows(rows, [], []), rows);
  assert.deepEqual(chooseRows(rows, ["linux-arm64-gnu"], ["bun", "deno"]), [
    { target: "linux-arm64-gnu", runtime: "deno", way: "qemu" },
    { target: "linux-arm64-gnu", runtime: "bun", way: "qemu" },
  ]);
  assert.throws(() => chooseRows(rows, ["linux-arm64"], []), {
    name: "RangeError",
    message: /a target must be one of linux-x64-gnu, linux-arm64-gnu, .*; got "linux-arm64"$/,
  });
  assert.throws(() => chooseRows(rows, [], ["node"]), {
    name: "RangeError",
    message: /a runtime must be one of deno, bun, node26, node24, node22; got "node"$/,
  });
});

test("each file either runs in a row or is left out with a reason", () => {
  for (const each of rowsOn(HOST)) {
    const { files, leftOut } = selectTests(each, FILES);
    assert.deepEqual([...files, ...leftOut.map(({ file }) => file)].sort(), NAMES);
    for (const { file, reason } of leftOut) assert.notEqual(reason, "", file);
    if (each.runtime !== null) assert.ok(files.includes("memory/block"), each.target);
  }
});

test("Node 24 runs every file natively, and no other row more than the core", () => {
  for (const each of rowsOn(HOST)) {
    const { files } = selectTests(each, FILES);
    if (each.way === "native" && each.runtime === "node24") {
      assert.deepEqual(files.toSorted(), NAMES);
    } else assert.deepEqual(files.filter((file) => !CORE.includes(file)), []);
  }
});

test("the tables of test files name files that there are", () => {
  const names = [...CORE, ...EXCEPTIONS.flatMap(({ files }) => files)];
  for (const name of names) assert.ok(NAMES.includes(name), name);
});

test("the table has a line for each row, with what failed in capitals", () => {
  const failed = { outcome: "fail", detail: "it is broken" } as const;
  const absent = { outcome: "absent", detail: "no" } as const;
  const columns = { ...row().columns, allocate: failed, preload: absent };
  const tests = { files: ["a.test.ts"], passed: 3, failed: 2, skipped: 1, leftOut: [] };
  const table = tableOf(report(row({ columns, tests: { ...tests, problems: [] } })));
  const line = table.split("\n").find((text) => text.includes("arm64")) ?? "";
  const cells = line.split("│").map((text) => text.trim()).slice(1, -1);
  assert.deepEqual(cells, [
    "linux-arm64-gnu",
    "Node 24.21.0",
    "qemu-user",
    "yes",
    "yes",
    "FAILED",
    "not on this system",
    "yes",
    "3 passed, 2 FAILED, 1 skipped (1 files)",
    "1 s",
  ]);
});

test("what failed and what was skipped is reported with its reason, once for equal columns", () => {
  const failed = { outcome: "fail", detail: "no\nlibrary" } as const;
  const skipped = { outcome: "skipped", detail: "no emulator" } as const;
  const columns = {
    load: failed,
    version: failed,
    allocate: skipped,
    preload: skipped,
    verify: skipped,
  };
  const tests = {
    files: [],
    passed: 0,
    failed: 1,
    skipped: 0,
    problems: ["a.test.ts: crashed"],
    leftOut: [],
  };
  assert.deepEqual(summarise(report(row({ columns, tests }))), {
    failures: [
      "linux-arm64-gnu node24: load, version: no\nlibrary",
      "linux-arm64-gnu node24: a.test.ts: crashed",
    ],
    skipped: ["linux-arm64-gnu node24: allocate, preload, verify: no emulator"],
  });
  assert.deepEqual(summarise(report(row())), { failures: [], skipped: [] });
});

function answer(changes: Partial<Verification>): { value: ProbeAnswer } {
  const evidence: Evidence[] = [
    { scope: "library", check: "ownership", outcome: "fail", detail: "denied" },
  ];
  const value: Verification = {
    runtime: { name: "node", version: "24.21.0" },
    platform: "linux",
    arch: "arm64",
    libc: "glibc",
    memoryAllocator: "jemalloc",
    memoryAllocatorVersion: "5.3.0",
    memoryAllocatorVerified: true,
    processAllocator: "jemalloc",
    processAllocatorVersion: "5.3.0",
    processAllocatorVerified: true,
    runtimeAllocator: null,
    library: { path: "x", origin: "build", sha256: "", manifest: true },
    evidence,
    ...changes,
  };
  return {
    value: {
      platform: "linux",
      arch: "arm64",
      blocks: { value: "blocks" },
      verification: { value },
    },
  };
}

function columnsFor(own: Answers["own"], under: Answers["under"]): Record<string, string> {
  const columns = columnsOf([{ allocator: "jemalloc", own, under }]);
  return Object.fromEntries(COLUMNS.map((name) => [name, columns[name].outcome]));
}

test("columns pass only with this build's library, its version, proof of both, and blocks", () => {
  const good = answer({});
  const all = { load: "pass", version: "pass", allocate: "pass", preload: "pass", verify: "pass" };
  assert.deepEqual(columnsFor(good, good), all);
  const foreign = answer({ library: { path: "x", origin: "system", sha256: "", manifest: false } });
  assert.deepEqual(columnsFor(foreign, good), { ...all, load: "fail" });
  const other = answer({ memoryAllocator: "mimalloc" });
  assert.deepEqual(columnsFor(other, good), { ...all, version: "fail", verify: "fail" });
  const doubtful = answer({ memoryAllocatorVerified: false });
  assert.deepEqual(columnsFor(doubtful, good), { ...all, verify: "fail" });
  const unproven = answer({ processAllocatorVerified: false });
  assert.deepEqual(columnsFor(good, unproven), { ...all, verify: "fail" });
  const plain = answer({ processAllocator: "glibc" });
  assert.deepEqual(columnsFor(good, plain), { ...all, preload: "fail", verify: "fail" });
  const crashed = { error: "SIGSEGV" };
  const nothing = {
    load: "fail",
    version: "fail",
    allocate: "fail",
    preload: "pass",
    verify: "fail",
  };
  assert.deepEqual(columnsFor(crashed, good), nothing);
  assert.deepEqual(columnsFor(good, null), { ...all, preload: "absent" });
});

test("a column fails when it fails for one allocator, and says so of each", () => {
  const good = answer({});
  const mimalloc = answer({ memoryAllocator: "mimalloc", processAllocator: "jemalloc" });
  const { preload, load } = columnsOf([
    { allocator: "jemalloc", own: good, under: good },
    { allocator: "mimalloc", own: mimalloc, under: mimalloc },
  ]);
  assert.equal(preload.outcome, "fail");
  assert.match(preload.detail, /^jemalloc: malloc is served by it; mimalloc: .* by jemalloc$/);
  assert.equal(load.outcome, "pass");
});

test("a library that is missing, altered or without a manifest fails the check of files", (t) => {
  const root = mkdtempSync(join(tmpdir(), "offheap-platforms-"));
  t.after(() => rmSync(root, { recursive: true }));
  const target = "freebsd-x64";
  assert.equal(missingLibraries(target, root).length, 5);
  const missing = checkFiles(target, root);
  assert.equal(missing.outcome, "fail");
  assert.match(
    missing.detail,
    /libjemalloc\.so is not there.*; build it with npm run build:native/,
  );
  const directory = join(root, "build", "native", target, "release");
  for (const variant of ["release", "preload"] as const) {
    mkdirSync(join(directory, "..", variant), { recursive: true });
    for (const name of librariesOf(variant)) {
      writeFileSync(join(directory, "..", variant, `lib${name}.so`), "bytes");
    }
  }
  assert.deepEqual(missingLibraries(target, root), []);
  assert.match(checkFiles(target, root).detail, /libmimalloc\.so has no manifest/);
  const write = (manifest: object): void =>
    writeFileSync(join(directory, "libmimalloc.so.json"), JSON.stringify(manifest));
  write({ target: HOST });
  assert.match(checkFiles(target, root).detail, /libmimalloc\.so is for linux-x64-gnu/);
  write({ target, bytes: 6 });
  assert.match(checkFiles(target, root).detail, /libmimalloc\.so has 5 bytes, and 6 by its/);
  write({ target, bytes: 5, sha256: "00" });
  assert.match(checkFiles(target, root).detail, /libmimalloc\.so is not the file of its manifest/);
  const sha256 = "277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9";
  write({ target, bytes: 5, sha256 });
  assert.match(checkFiles(target, root).detail, /libmimalloc\.so is not what it has to be/);
});

test("a namespace's words lay its directories over the machine's, odd names included", (t) => {
  const root = mkdtempSync(join(tmpdir(), "offheap-a:b,c-"));
  t.after(() => rmSync(root, { recursive: true }));
  mkdirSync(join(root, "usr"));
  const words = namespacePrefix({ roots: [root], arm64: true });
  const at = words.indexOf("overlay");
  assert.equal(words[at + 1], join(root, "usr").replace("a:b,c", String.raw`a\:b\,c`));
  assert.equal(words[at + 2], "/usr");
  assert.ok(!words.includes("/etc"), "a directory that is not there is not laid over anything");
  assert.match(words[words.indexOf("binfmt") + 1] ?? "", /^:offheap-arm64:M::\\x7fELF/);
  assert.equal(words.at(-1), "--");
});

test("committed results say nothing of the machine that they were made on", () => {
  const detail = `cannot open "/home/somebody/x/libc.so.6" at 0x7f0012345678, see ${ROOT}lib/a.ts`;
  const columns = { ...row().columns, load: { outcome: "fail", detail } as const };
  const trimmed = trimReport(report(row({ columns })));
  assert.equal(
    trimmed.rows[0]?.columns.load.detail,
    'cannot open "libc.so.6" at 0x…, see lib/a.ts',
  );
  assert.equal(trimmed.date, "2026-01-02");
  assert.equal(trimmed.rows[0]?.milliseconds, 0);
  assert.doesNotMatch(JSON.stringify(readResults()), /"\/|\/home\/|\/tmp\/|\/root\//);
});

test("a text without the marks gets no table", () => {
  const message = /the text must have <!-- platforms:begin --> and <!-- platforms:end -->, once/;
  assert.throws(() => withTable("# A text", report()), { name: "RangeError", message });
});

test("README's table of platforms is the one that the committed results give", () => {
  const readme = readFileSync(join(ROOT, "README.md"), "utf8");
  const results = readResults();
  assert.equal(withTable(readme, results), readme, "run: node scripts/platforms/readme-table.ts");
  assert.ok(readme.includes(markdownTable(results)));
  assert.deepEqual(results.rows.map(({ target }) => target), rowsOn(HOST).map((r) => r.target));
});
