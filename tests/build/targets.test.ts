import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join, relative } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { runtimeInfo } from "../../ffi/mod.ts";
import { readMachO } from "../../lib/binary/macho.ts";
import { BuildError } from "../../lib/errors.ts";
import { cacheDirectory } from "../../lib/library/directories.ts";
import { hostTarget } from "../../lib/library/target.ts";
import { TARGETS } from "../../lib/library/targets.ts";
import { findZig, targetsFor } from "../../packages/build/toolchain/zig.ts";
import { sha256File } from "../../packages/build/store/hashes.ts";
import { exportingUnit } from "../../packages/build/recipe/link.ts";
import { buildNative, type BuildOptions, type BuildResult } from "../../packages/build/mod.ts";
import { toolEnvironment } from "../../packages/build/toolchain/shell.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { fakeMimalloc } from "../support/fake-allocator.ts";
import { THOROUGH } from "../support/effort.ts";
import { skipUnless } from "../support/skip.ts";

const zig = process.platform === "linux" ? await findZig(toolEnvironment(process.env)) : null;
const { name, version } = runtimeInfo();

/** The tools do the work, in whichever runtime: one of them will do. */
const once = skipUnless(
  zig !== null && name === "node" && Number.parseInt(version) >= 26,
  zig === null ? "there is no zig" : "zig's builds are tried in Node 26 only",
);

function build(target: string, options: BuildOptions = {}): Promise<BuildResult[]> {
  return buildNative({ target, allocator: "mimalloc", ...options });
}

function summary(results: readonly BuildResult[]): string[] {
  return results.map(({ target, variant, name, outcome }) =>
    `${target} ${variant} ${name} ${outcome}`
  );
}

/** A PATH with a zig that does a line of shell before it does its work. */
function zigAfter(line: string): string {
  const directory = temporaryDirectory();
  const script = `#!/bin/sh\n${line}\nexec "${zig?.path}" "$@"\n`;
  writeFileSync(join(directory, "zig"), script, { mode: 0o755 });
  return `${directory}${delimiter}${process.env["PATH"]}`;
}

/** A PATH whose zig ends with 1 when it is called with an argument. */
function failingZig(argument: string): string {
  return zigAfter(
    `for word; do [ "$word" = "${argument}" ] && { echo no ${argument} >&2; exit 1; }; done`,
  );
}

/** A PATH whose zig has what it made before, whichever cache it is given: all of it takes long. */
function warmZig(): string {
  const warm = join(cacheDirectory(process.env, process.platform) ?? "", "zig");
  return zigAfter(`export ZIG_GLOBAL_CACHE_DIR='${warm}'`);
}

test("all means every target, a name for one, and another word is refused with the list", () => {
  assert.equal(targetsFor("all").length, TARGETS.length);
  assert.deepEqual(targetsFor("win32-arm64").map((target) => target.name), ["win32-arm64"]);
  assert.throws(() => targetsFor("linux-mips-gnu"), (error: unknown) => {
    assert.ok(error instanceof BuildError);
    assert.match(
      error.message,
      /^Cannot build for "linux-mips-gnu": the target must be all or one of /,
    );
    for (const { name } of TARGETS) assert.ok(error.message.includes(name), name);
    return true;
  });
});

test("Windows has no variant for preloading", async () => {
  await assert.rejects(build("win32-x64", { variant: "preload" }), {
    name: "BuildError",
    message: /^Cannot build the variant preload for win32-x64: nothing can be preloaded there\.$/,
  });
});

test("OFFHEAP_ZIG and the path come before npm's links", once, async () => {
  const PATH = failingZig("version").split(delimiter)[0];
  await assert.rejects(findZig({ PATH }), /^BuildError: Cannot ask zig for its version/);
  const links = temporaryDirectory();
  const bin = join(links, "node_modules", ".bin");
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, "zig"), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
  assert.equal((await findZig({ PATH: bin }))?.path, zig?.path, "the package's");
  assert.equal((await findZig({ PATH, OFFHEAP_ZIG: zig?.path }))?.version, zig?.version);
  for (const OFFHEAP_ZIG of ["zig", "/nowhere/zig", process.execPath]) {
    await assert.rejects(
      findZig({ PATH, OFFHEAP_ZIG }),
      /OFFHEAP_ZIG names, .*must be the absolute/,
    );
  }
});

test("a unit marks the exports before their definitions, where the linker has no list of them", () => {
  const parts = { head: ["#define A"], headers: ["a.h"], body: ["#define B"], source: "a.c" };
  const names = { required: ["f"], optional: ["g"] };
  assert.deepEqual(exportingUnit("macho", names, parts).split("\n"), [
    "#define A",
    '#include "a.h"',
    'extern __typeof__(f) f __attribute__((visibility("default")));',
    "#define B",
    '#include "a.c"',
    "",
  ]);
  assert.doesNotMatch(exportingUnit("pe", names, parts), /visibility/);
});

/** Another system's libraries, built from clean. */
interface CleanBuild {
  readonly outDirectory: string;
  readonly results: readonly BuildResult[];
}

const cleanBuilds = new Map<string, Promise<CleanBuild>>();

/** Builds a target, once for all tests that look at what was built. */
function buildClean(target: string): Promise<CleanBuild> {
  const outDirectory = temporaryDirectory();
  const building = cleanBuilds.get(target) ??
    build(target, { outDirectory }).then((results) => ({ outDirectory, results }));
  cleanBuilds.set(target, building);
  return building;
}

test(
  "libraries for another system are built once, and from clean they have the same bytes",
  once,
  async () => {
    for (const target of ["darwin-arm64", ...(THOROUGH ? ["linux-arm64-musl"] : [])]) {
      const { outDirectory: first, results } = await buildClean(target);
      const second = temporaryDirectory();
      const again = await build(target, { outDirectory: second });
      const hashes = (all: readonly BuildResult[]): string[] =>
        all.map(({ path, manifest }) => {
          assert.equal(manifest.sha256, sha256File(path));
          return manifest.sha256;
        });
      assert.deepEqual(hashes(again), hashes(results));
      assert.ok(results.every(({ outcome }) => outcome === "built"));
      assert.deepEqual(
        (await build(target, { outDirectory: first })).map(({ outcome }) => outcome),
        results.map(() => "current"),
      );
    }
  },
);

test(
  "macOS has one library that leaves malloc alone and one that takes it over",
  once,
  async () => {
    const { outDirectory, results } = await buildClean("darwin-arm64");
    assert.deepEqual(summary(results), [
      "darwin-arm64 release offheap built",
      "darwin-arm64 release mimalloc built",
      "darwin-arm64 preload mimalloc built",
    ]);
    for (const { name, path, variant } of results) {
      assert.equal(dirname(path), join(outDirectory, "darwin-arm64", variant));
      assert.equal(readMachO(path).interposes, name === "mimalloc" && variant === "preload", path);
      assert.equal(readFileSync(path).includes(outDirectory), false, "no path of the build");
    }
  },
);

test("a target that fails is named, and the others are built", once, async () => {
  const outDirectory = temporaryDirectory();
  const environment = { ...process.env, PATH: failingZig("-DMI_OSX_INTERPOSE=1") };
  await assert.rejects(build("darwin-arm64", { outDirectory, environment }), (error: unknown) => {
    assert.ok(error instanceof BuildError);
    assert.match(error.message, /^Cannot build 1 of 2 sets of libraries; the others are built\.\n/);
    assert.match(
      error.message,
      /- darwin-arm64, preload: Cannot build mimalloc [\s\S]*no -DMI_OSX/,
    );
    return true;
  });
  assert.ok(existsSync(join(outDirectory, "darwin-arm64", "release", "libmimalloc.dylib")));
  assert.deepEqual(readdirSync(join(outDirectory, "darwin-arm64", "preload")), []);
});

test("what zig makes is private in the user's cache, and counts as built", once, async () => {
  const cache = join(temporaryDirectory(), "cache");
  const before = process.umask(0);
  try {
    const outDirectory = join(cache, "native");
    const environment = { ...process.env, PATH: warmZig() };
    const source = fakeMimalloc();
    const options = { cacheDirectory: cache, outDirectory, source, environment, debian: false };
    const target = hostTarget().name;
    const [shim] = await build(target, { ...options, variant: "release" });
    for (const part of ["", "native", `native/${target}`, "zig"]) {
      assert.equal(statSync(join(cache, part)).mode & 0o777, 0o700, part);
    }
    assert.match(shim?.manifest.compiler ?? "", /^zig \d/);
    const host = await buildNative({
      allocator: "mimalloc",
      outDirectory: join(outDirectory, target, "release"),
      variant: "release",
      source,
      debian: false,
    });
    assert.deepEqual(host.map(({ outcome }) => outcome), ["current", "current"]);
  } finally {
    process.umask(before);
  }
});

test("a relative directory is taken from where the build was started", once, async () => {
  const outDirectory = relative(process.cwd(), temporaryDirectory());
  const source = fakeMimalloc();
  const [shim] = await build("linux-arm64-musl", { outDirectory, source, debian: false });
  assert.ok(existsSync(shim?.path ?? ""), String(shim?.path));
});
