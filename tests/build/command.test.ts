import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { BUILD_COMMAND } from "../../lib/build-command.ts";
import { cacheDirectory, cachedSourcesDirectory } from "../../lib/library/directories.ts";
import { hostTarget } from "../../lib/library/target.ts";
import type { Verification } from "../../lib/verify/types.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { onceAPush, onceInBun, THOROUGH } from "../support/effort.ts";
import {
  builtLibrary,
  type ChildResult,
  ROOT,
  runChild,
  runtimeCommand,
} from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

// What a group may write to is not taken from the cache.
process.umask(0o022);

const BUILD = join(ROOT, "packages", "build", "main.ts");
const PARTS = ["ffi", "lib", "scripts", "packages", "mod.ts", "package.json"];

/** The user's archives of mimalloc; without one the build would need the network. */
function cachedSources(): string | null {
  const cache = cacheDirectory(process.env, process.platform);
  const sources = cache === null ? null : cachedSourcesDirectory(cache);
  if (sources === null || !existsSync(sources)) return null;
  return readdirSync(sources).some((name) => name.includes("mimalloc")) ? sources : null;
}

/**
 * A compiler for a build: on a push one that does not optimise, which takes a quarter of the time.
 * The libraries that the other tests use are optimised.
 */
function compiler(): Record<string, string> {
  if (THOROUGH) return {};
  const path = join(temporaryDirectory(), "cc");
  writeFileSync(path, '#!/bin/sh\nexec cc "$@" -O0\n', { mode: 0o755 });
  return { CC: path };
}

/** A busy machine compiles slowly. */
const BUILD_LIMIT_MS = 240_000;

const SOURCES = cachedSources();
const hasSources = () =>
  SOURCES === null
    ? skipUnless(false, "no source of mimalloc is in the user's cache")
    : onceAPush("it compiles for long");

test(
  "offheap-build fills the cache, and a copy without a build of its own takes the libraries there",
  hasSources(),
  async () => {
    const copy = temporaryDirectory();
    for (const part of PARTS) cpSync(join(ROOT, part), join(copy, part), { recursive: true });
    symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
    const cache = temporaryDirectory();
    mkdirSync(join(cache, "offheap"));
    cpSync(SOURCES ?? "", join(cache, "offheap", "sources"), { recursive: true });
    const variables = { XDG_CACHE_HOME: cache, OFFHEAP_ALLOCATOR: "mimalloc", ...compiler() };
    const offheap = (...args: string[]): Promise<ChildResult> =>
      runChild(runtimeCommand(join(copy, "lib", "cli.ts"), ...args), { variables });
    const build = (...args: string[]): Promise<ChildResult> =>
      runChild(runtimeCommand(join(copy, "packages", "build", "main.ts"), ...args), {
        variables,
        limit: BUILD_LIMIT_MS,
      });

    const before = await offheap("run", "--", "echo", "started");
    assert.equal(before.status, 125);
    assert.equal(before.stdout, "");
    // The system may have a mimalloc, and has nothing of offheap's.
    assert.match(before.stderr, /^offheap: Cannot find (?:mimalloc|offheap's own library)/);
    assert.ok(before.stderr.includes(`"${BUILD_COMMAND}"`), before.stderr);

    // The cache is all that it may take: no archive is downloaded, and apt is not asked.
    const options = ["--allocator", "mimalloc", "--no-debian", "--upstream", "file:///nonexistent"];
    const built = await build(...options);
    assert.equal(built.status, 0, built.stdout + built.stderr);
    const target = join(cache, "offheap", "native", hostTarget().name);
    const mimalloc = ["libmimalloc.so", "libmimalloc.so.json"];
    const shim = ["liboffheap.so", "liboffheap.so.json"];
    for (const [variant, files] of [["release", [...mimalloc, ...shim]], ["preload", mimalloc]]) {
      const directory = join(target, String(variant));
      const names = readdirSync(directory).filter((name) => !name.startsWith(".")).sort();
      assert.deepEqual(names, files);
      assert.ok(built.stdout.includes(join(directory, "libmimalloc.so")), built.stdout);
    }
    assert.ok(!existsSync(join(copy, "build")), "the checkout is left alone");

    const again = await build(...options);
    assert.equal(again.status, 0, again.stderr);
    assert.match(again.stdout, /^Nothing to do\.$/m);

    const command = runtimeCommand(join(copy, "lib", "cli.ts"), "verify", "--json");
    const under = await offheap("run", "--", ...command);
    assert.equal(under.status, 0, under.stderr);
    const found = JSON.parse(under.stdout) as Verification;
    assert.equal(found.processAllocator, "mimalloc");
    assert.equal(found.processAllocatorVerified, true);
    assert.equal(found.memoryAllocatorVerified, true);
    // The instance that serves the process is offheap's own, too.
    assert.equal(found.library?.origin, "process");
    assert.equal(found.library?.path, join(target, "preload", "libmimalloc.so"));
    assert.equal(found.library?.manifest, true);
  },
);

test("wrong usage of offheap-build ends with status 2", async () => {
  const { status, stdout, stderr } = await runChild(runtimeCommand(BUILD, "--variant", "none"));
  assert.deepEqual([status, stdout], [2, ""]);
  assert.match(stderr, /^error: option '--variant <name>' argument 'none' is invalid/);
});

test("offheap build says which command builds", async () => {
  const command = runtimeCommand(join(ROOT, "lib", "cli.ts"), "build", "--force");
  const { status, stdout, stderr } = await runChild(command);
  assert.deepEqual([status, stdout], [2, ""]);
  assert.ok(stderr.startsWith(`error: the libraries are built by "${BUILD_COMMAND}"\n`), stderr);
});

test("offheap-build without a home to put a cache in says what to do", async () => {
  const variables = { XDG_CACHE_HOME: undefined, HOME: undefined };
  const command = runtimeCommand(BUILD, "--allocator", "mimalloc");
  const { status, stdout, stderr } = await runChild(command, { variables });
  assert.equal(status, 1);
  assert.equal(stdout, "");
  assert.match(
    stderr,
    /^error: Cannot build into this user's cache: neither XDG_CACHE_HOME nor HOME .* --out\.\n$/,
  );
});

test(
  "a checkout at a path with spaces runs programs under its own libraries",
  onceInBun("paths are alike in all runtimes"),
  async () => {
    const copy = join(temporaryDirectory(), "with a space");
    for (const part of PARTS) cpSync(join(ROOT, part), join(copy, part), { recursive: true });
    symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
    const built = dirname(dirname(builtLibrary("offheap")));
    cpSync(built, join(copy, relative(ROOT, built)), { recursive: true });
    const command = runtimeCommand(
      join(copy, "lib", "cli.ts"),
      "run",
      "--",
      "cat",
      "/proc/self/maps",
    );
    const variables = { XDG_CACHE_HOME: temporaryDirectory() };
    const { status, stdout, stderr } = await runChild(command, { variables });
    assert.equal(status, 0, stderr);
    assert.equal(stderr, "");
    for (const name of ["jemalloc", "offheap"]) {
      assert.match(stdout, new RegExp(`/with a space/build/.*/lib${name}\\.so`));
    }
  },
);
