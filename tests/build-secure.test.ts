import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { buildDirectory } from "../lib/library/directories.ts";
import { SECURE_OPTIONS, secureEnvironment } from "../lib/library/secure-options.ts";
import { hostTarget } from "../lib/library/target.ts";
import { buildNative } from "../scripts/native/mod.ts";
import { compileProgram } from "./support/compile.ts";
import { type ChildResult, ROOT, runChild } from "./support/runtime.ts";
import { skipUnless } from "./support/skip.ts";

const target = hostTarget();
const secureJemalloc = join(buildDirectory(ROOT, target.name, "secure"), "libjemalloc.so");
const onLinux = skipUnless(process.platform === "linux", "the build script builds for Linux");
const withSecureJemalloc = skipUnless(
  existsSync(secureJemalloc),
  'the secure jemalloc takes a minute: "npm run build:native -- --variant secure" builds it',
);

const misuse = compileProgram("misuse.c", "misuse", ["-fno-builtin"]);

/** One way of misuse, and what the secure library does about it. */
interface Misuse {
  readonly way: string;
  readonly size: number;
  /** How the program ends: by a signal, or with a status. */
  readonly end: string | number;
  readonly message: RegExp;
}

async function runMisuse(
  library: string,
  variables: Readonly<Record<string, string>>,
  way: string,
  size: number,
): Promise<ChildResult> {
  return await runChild([misuse, way, String(size)], {
    variables: { ...variables, LD_PRELOAD: library },
  });
}

async function findLibrary(
  allocator: "jemalloc" | "mimalloc",
  variant: "release" | "secure",
): Promise<{
  readonly path: string;
  readonly version: string;
}> {
  const results = await buildNative({ allocator, variant });
  const result = results.find(({ name }) => name === allocator);
  assert.ok(result !== undefined);
  return result;
}

async function compareVariants(
  allocator: "jemalloc" | "mimalloc",
  cases: readonly Misuse[],
): Promise<void> {
  const release = await findLibrary(allocator, "release");
  const secure = await findLibrary(allocator, "secure");
  const variables = secureEnvironment(allocator, secure.version);
  for (const size of [24, 1000, 4096, 8192, 20_000, 300_000]) {
    const result = await runMisuse(secure.path, variables, "nothing", size);
    assert.deepEqual([result.status, result.stdout, result.stderr], [0, "survived\n", ""]);
  }
  for (const { way, size, end, message } of cases) {
    const unseen = await runMisuse(release.path, {}, way, size);
    assert.deepEqual([unseen.status, unseen.stdout, unseen.stderr], [0, "survived\n", ""], way);
    const seen = await runMisuse(secure.path, variables, way, size);
    assert.equal(seen.status ?? seen.signal, end, `${way}: ${seen.stderr}`);
    assert.match(seen.stderr, message);
  }
}

test(
  "misuse that passes under the release mimalloc is caught by the secure one",
  onLinux,
  async () => {
    await compareVariants("mimalloc", [
      { way: "overflow", size: 24, end: "SIGABRT", message: /buffer overflow in heap block/ },
      { way: "overflow", size: 20_000, end: "SIGABRT", message: /buffer overflow in heap block/ },
      // It is reported, and the second free does nothing.
      { way: "double-free", size: 24, end: 0, message: /double free detected/ },
    ]);
  },
);

test(
  "misuse that passes under the release jemalloc is caught by the secure one",
  withSecureJemalloc,
  async () => {
    await compareVariants("jemalloc", [
      { way: "use-after-free", size: 4096, end: "SIGABRT", message: /Write-after-free detected/ },
      // Into a guard page: the system ends the program, and nothing is printed.
      { way: "overrun", size: 20_000, end: "SIGSEGV", message: /^$/ },
    ]);
  },
);

test("the newest options that a version has reached are the ones that count", () => {
  assert.deepEqual(secureEnvironment("mimalloc", "2.0.9"), { MIMALLOC_SHOW_ERRORS: "1" });
  const guarded = { MIMALLOC_SHOW_ERRORS: "1", MIMALLOC_GUARDED_SAMPLE_RATE: "1000" };
  for (const version of ["2.1.9", "2.4.1", "3.4.3", "10.0.0"]) {
    assert.deepEqual(secureEnvironment("mimalloc", version), guarded, version);
  }
  assert.deepEqual(secureEnvironment("jemalloc", "5.2.1"), {});
  assert.match(secureEnvironment("jemalloc", "5.3.0").MALLOC_CONF ?? "", /^lg_san_uaf_align:12,/);
  assert.ok(SECURE_OPTIONS.length > 0);
});
