import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { BuildError } from "../../lib/errors.ts";
import { readElf, readElfExports } from "../../lib/binary/elf.ts";
import type { LibraryManifest } from "../../lib/library/manifest.ts";
import { hostTarget } from "../../lib/library/target.ts";
import { buildNative, type BuildOptions } from "../../packages/build/mod.ts";
import { sha256File } from "../../packages/build/store/hashes.ts";
import { hashInputs } from "../../packages/build/plan/inputs.ts";
import { JEMALLOC_RECIPE } from "../../packages/build/recipe/jemalloc.ts";
import { MIMALLOC_RECIPE } from "../../packages/build/recipe/mimalloc.ts";
import { requireSpace } from "../../packages/build/store/output.ts";
import { SHIM_RECIPE } from "../../packages/build/recipe/shim.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { fakeMimalloc, outputWithShim, pathWith } from "../support/fake-allocator.ts";
import { skipUnless } from "../support/skip.ts";

// What a group may write to is not taken from the cache.
process.umask(0o022);

const onLinux = skipUnless(process.platform === "linux", "the build script builds for Linux");

/** The compiler that a build finds first: by another one the shim would be made again. */
const COMPILER =
  ["gcc", "cc", "clang"].find((name) =>
    spawnSync("sh", ["-c", `command -v ${name}`]).status === 0
  ) ?? "cc";

interface Place {
  readonly outDirectory: string;
  readonly cacheDirectory: string;
}

/** A fresh place, in which the shim is built already: an allocator's build needs it. */
function place(...more: readonly "debug"[]): Place {
  return {
    outDirectory: outputWithShim(...more),
    cacheDirectory: join(temporaryDirectory(), "cache"),
  };
}

function buildFake(source: string, options: BuildOptions): ReturnType<typeof buildNative> {
  return buildNative({
    allocator: "mimalloc",
    variant: "release",
    debian: false,
    source,
    ...options,
  });
}

function readManifest(directory: string, file: string): LibraryManifest {
  return JSON.parse(readFileSync(join(directory, `${file}.json`), "utf8"));
}

/** A URL where nobody answers. */
async function closedPort(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  assert.ok(address !== null && typeof address === "object");
  return `http://127.0.0.1:${address.port}`;
}

async function refusal(building: Promise<unknown>): Promise<string> {
  const error = await building.then(() => null, (reason: unknown) => reason);
  assert.ok(error instanceof BuildError, `a BuildError was expected; got ${error}`);
  assert.equal(error.code, "ERR_OFFHEAP_BUILD");
  return error.message;
}

test(
  "this checkout's libraries export exactly what the symbol tables ask for",
  onLinux,
  async () => {
    const results = await buildNative();
    assert.deepEqual(results.map(({ name, variant }) => `${name} ${variant}`), [
      "offheap release",
      "mimalloc release",
      "jemalloc release",
      "mimalloc preload",
      "jemalloc preload",
    ]);
    const recipes = { offheap: SHIM_RECIPE, mimalloc: MIMALLOC_RECIPE, jemalloc: JEMALLOC_RECIPE };
    for (const { name, variant, path, manifest, version } of results) {
      const { required, optional } = recipes[name].exports(hostTarget(), variant);
      const exports = readElfExports(path).map((symbol) => symbol.name);
      assert.deepEqual(exports.filter((name) => !optional.includes(name)), [...required].sort());
      const file = readElf(path);
      assert.deepEqual([file.noDelete, file.symbolic], [true, true], path);
      // What is there from the start reaches its thread-local storage without a call.
      assert.equal(file.staticTls, variant === "preload", path);
      const target = hostTarget();
      assert.deepEqual(manifest.exports, exports);
      assert.equal(manifest.sha256, sha256File(path));
      assert.equal(manifest.bytes, readFileSync(path).length);
      assert.deepEqual([manifest.target, manifest.libc], [target.name, target.libc]);
      assert.deepEqual([manifest.version, manifest.variant], [version, variant]);
      assert.ok(
        manifest.compiler !== "" && manifest.flags.length > 5 && manifest.source.name !== "",
      );
    }
  },
);

test("what is up to date needs no compiler, no network and no lock", onLinux, async () => {
  await buildNative();
  const results = await buildNative({
    environment: { PATH: pathWith([]) },
    upstream: await closedPort(),
    debian: false,
  });
  assert.deepEqual([...new Set(results.map((result) => result.outcome))], ["current"]);
});

test(
  "a source directory is built, and only once; a change of it or damage builds it again",
  onLinux,
  async () => {
    const where = place();
    const source = fakeMimalloc({ version: 20401 });
    const outcomes = async (): Promise<string[]> =>
      (await buildFake(source, where)).map((result) => result.outcome);
    const [, first] = await buildFake(source, where);
    assert.deepEqual([first?.version, first?.outcome], ["2.4.1", "built"]);
    assert.deepEqual(first?.manifest.source, { origin: "option", name: "fake", sha256: null });
    assert.ok(!first?.manifest.exports.includes("leaked"));
    assert.deepEqual(await outcomes(), ["current", "current"]);
    const path = first?.path ?? "";
    writeFileSync(path, readFileSync(path).subarray(0, 1000));
    assert.deepEqual(await outcomes(), ["current", "built"]);
    writeFileSync(join(source, "src/more.c"), "");
    assert.deepEqual(await outcomes(), ["current", "built"]);
    assert.equal(readManifest(where.outDirectory, "libmimalloc.so").sha256, sha256File(path));
  },
);

test(
  "a variant goes below the directory that was named, and leaves the release's alone",
  onLinux,
  async () => {
    const where = place("debug");
    const source = fakeMimalloc();
    const [, release] = await buildFake(source, where);
    const { path = "", manifest } = release ?? {};
    const [, debug] = await buildFake(source, { ...where, variant: "debug" });
    assert.equal(debug?.path, join(where.outDirectory, "debug", "libmimalloc.so"));
    assert.equal(sha256File(path), manifest?.sha256);
  },
);

test("an archive is unpacked and built, whatever its compression", onLinux, async () => {
  const source = fakeMimalloc();
  for (const [option, file] of [["-z", "fake.tgz"], ["-j", "fake.bz2"], ["-J", "fake.xz"]]) {
    const archive = join(temporaryDirectory(), file ?? "");
    execFileSync("tar", [option ?? "", "-cf", archive, "-C", join(source, ".."), "fake"]);
    const [, result] = await buildFake(archive, place());
    assert.deepEqual([result?.version, result?.manifest.source.sha256], [
      "2.0.9",
      sha256File(archive),
    ]);
  }
});

test("equal inputs have one hash, and each input makes another", () => {
  const inputs = {
    recipe: MIMALLOC_RECIPE,
    identity: "a",
    variant: "release",
    target: hostTarget(),
    compiler: "cc 1",
  } as const;
  const changes = [
    {},
    { identity: "b" },
    { variant: "debug" },
    { compiler: "cc 2" },
    { compiler: "zig 1" },
    { target: { ...hostTarget(), name: "linux-arm64-musl" } },
    { recipe: { ...MIMALLOC_RECIPE, exports: () => ({ required: ["malloc"], optional: [] }) } },
    { recipe: { ...MIMALLOC_RECIPE, exports: () => ({ required: [], optional: ["malloc"] }) } },
    { recipe: { ...MIMALLOC_RECIPE, flags: () => ["-O1"] } },
    { recipe: JEMALLOC_RECIPE },
  ] as const;
  const hashes = changes.map((change) => hashInputs({ ...inputs, ...change }));
  assert.equal(new Set(hashes).size, changes.length);
  assert.equal(hashInputs({ ...inputs }), hashes[0]);
});

test(
  "a library that lacks a symbol, or answers another version, is not kept",
  onLinux,
  async () => {
    const where = place();
    const lacking = fakeMimalloc({ without: "mi_usable_size" });
    assert.match(await refusal(buildFake(lacking, where)), /does not export mi_usable_size\./);
    const lying = fakeMimalloc({ version: 20401, answer: 209 });
    assert.match(
      await refusal(buildFake(lying, where)),
      /answers version 2\.0\.9, .* is 2\.4\.1\./,
    );
    const broken = fakeMimalloc({ more: "#error broken on purpose" });
    assert.match(await refusal(buildFake(broken, where)), /broken on purpose/);
    assert.match(
      await refusal(buildFake(fakeMimalloc(), { ...where, mimallocVersion: "3.4.3" })),
      /is version 2\.0\.9, but 3\.4\.3 was asked for/,
    );
    const left = readdirSync(where.outDirectory).sort();
    assert.deepEqual(left, ["liboffheap.so", "liboffheap.so.json"]);
  },
);

test("a library that would crash when it is loaded is not kept", onLinux, async () => {
  const crash = "__attribute__((constructor)) static void crash(void) { __builtin_trap(); }";
  const where = place();
  assert.match(await refusal(buildFake(fakeMimalloc({ more: crash }), where)), /could not load it/);
  assert.ok(!existsSync(join(where.outDirectory, "libmimalloc.so")));
});

test(
  "an archive with another checksum is refused with both hashes, and removed",
  onLinux,
  async () => {
    const where = place();
    const sources = join(where.cacheDirectory, "sources");
    mkdirSync(sources, { recursive: true });
    const archive = join(sources, "mimalloc-2.4.1.tar.gz");
    writeFileSync(archive, "not the archive");
    const actual = sha256File(archive);
    const options: BuildOptions = { ...where, allocator: "mimalloc", debian: false };
    const pinned = "44aec43262c96be4f3e10ea38fa7c51c444fd6ea99fbc06a714792d7b3fb4fd3";
    const message = await refusal(buildNative(options));
    assert.ok(message.includes(actual) && message.includes(pinned), message);
    assert.ok(!existsSync(archive));
    // The same from a server: nothing reaches the cache.
    const upstream = join(where.cacheDirectory, "upstream");
    mkdirSync(upstream);
    writeFileSync(join(upstream, "mimalloc-2.4.1.tar.gz"), "not the archive");
    const second = await refusal(buildNative({ ...options, upstream: `file://${upstream}` }));
    assert.ok(second.includes(actual) && second.includes(pinned), second);
    assert.deepEqual(readdirSync(sources), []);
  },
);

test(
  "without a network the error names each version, each way and what to do",
  onLinux,
  async () => {
    const where = place();
    const upstream = await closedPort();
    const options: BuildOptions = { ...where, allocator: "mimalloc", debian: false, upstream };
    const message = await refusal(buildNative(options));
    assert.match(message, /^Cannot get the source of mimalloc 2\.4\.1 or 2\.0\.9: /);
    assert.ok(message.includes(`2.4.1: ${new URL(upstream).host} could not be reached`), message);
    assert.match(message, /2\.0\.9: Debian's source packages are left out/);
    assert.match(message, /pass it with --source\.$/);
    const noApt = { ...process.env, PATH: pathWith(["cc", "sh", "tar", "xz"]) };
    const second = await refusal(buildNative({ ...options, debian: true, environment: noApt }));
    assert.match(second, /2\.0\.9: this system has no apt-get/);
  },
);

test("each missing program has a sentence that says what to install", onLinux, async () => {
  const build = (programs: readonly string[], options: BuildOptions): Promise<string> =>
    refusal(buildNative({ ...place(), ...options, environment: { PATH: pathWith(programs) } }));
  assert.match(await build([], {}), /there is no C compiler .*apt-get install gcc/);
  assert.match(
    await build(["cc"], { allocator: "jemalloc" }),
    /"make" .* Install the package make/,
  );
  const archive = join(temporaryDirectory(), "source.tar.xz");
  execFileSync("tar", ["-cJf", archive, "-C", join(fakeMimalloc(), ".."), "fake"]);
  const given: BuildOptions = { allocator: "mimalloc", source: archive };
  const programs = [COMPILER, "as", "ld"];
  assert.match(await build([...programs, "xz"], given), /"tar" .* Install the package tar/);
  assert.match(await build([...programs, "tar"], given), /"xz" .* Install the package xz-utils/);
  const environment = { ...process.env, CC: "no-such-compiler" };
  const chosen = await refusal(buildNative({ ...place(), environment }));
  assert.match(chosen, /"no-such-compiler" that CC names is not on the path/);
});

test(
  "a disk or a directory that cannot take the build is reported before anything is made",
  onLinux,
  async () => {
    const directory = temporaryDirectory();
    assert.throws(() => requireSpace(directory, 2 ** 60), {
      name: "BuildError",
      message: /its disk has \d+ MiB free, and the build needs 1099511627776 MiB/,
    });
    const message = await refusal(buildFake(fakeMimalloc(), { outDirectory: "/proc/nowhere" }));
    assert.match(message, /^Cannot write to the directory "\/proc\/nowhere" \(/);
  },
);

test(
  "sources that cannot be read and options that do not go together are refused",
  onLinux,
  async () => {
    const cases: readonly (readonly [BuildOptions, RegExp])[] = [
      [{ allocator: "mimalloc", source: "/no/such" }, /--source "\/no\/such": .*\(ENOENT\)/],
      [{ allocator: "mimalloc", source: "/etc/passwd" }, /must be a tar archive compressed by/],
      [{ allocator: "jemalloc", source: fakeMimalloc() }, /it is not jemalloc's source/],
      [{ source: "/tmp" }, /Cannot use --source for all allocators/],
      [{ mimallocVersion: "9.9.9" }, /the pinned versions are 2\.0\.9, 2\.4\.1, 3\.4\.3/],
      [{ mimallocVersion: "toString" }, /the pinned versions are/],
      [{ allocator: "jemalloc", mimallocVersion: "2.0.9" }, /mimalloc would not be built/],
      [{ allocator: "mimalloc", jemallocVersion: "5.3.0" }, /jemalloc would not be built/],
      [{ jemallocVersion: "9.9.9" }, /the pinned versions are 5\.3\.0/],
    ];
    for (const [options, pattern] of cases) {
      assert.match(await refusal(buildNative({ ...place(), debian: false, ...options })), pattern);
    }
  },
);

test("options that are unknown or of the wrong kind are named with their value", async () => {
  const cases: readonly (readonly [Record<string, unknown>, string, RegExp])[] = [
    [{ allocator: "tcmalloc" }, "RangeError", /one of all, jemalloc, mimalloc; got "tcmalloc"/],
    [{ variant: "fast" }, "RangeError", /one of release, debug, secure, preload; got "fast"/],
    [{ source: "" }, "RangeError", /source must not be empty; got ""/],
    [{ upstream: "ftp://x" }, "RangeError", /upstream must be .*; got "ftp:\/\/x"/],
    [{ force: 1 }, "TypeError", /force must be of type boolean; got 1/],
    [{ signal: null }, "TypeError", /signal must be of type object; got null/],
    [{ speed: 1 }, "TypeError", /the option must be one of allocator, .*; got speed/],
  ];
  for (const [options, name, message] of cases) {
    await assert.rejects(buildNative(options), { name, message });
  }
});
