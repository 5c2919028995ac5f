import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { BUILD_COMMAND } from "../../lib/build-command.ts";
import type { LibraryLoadError } from "../../lib/errors.ts";
import type { LibraryRequest, ResolvedLibrary } from "../../lib/library/resolve.ts";
import { systemLibraryPaths } from "../../lib/library/system-libraries.ts";
import { hostTarget } from "../../lib/library/target.ts";
import { VERSION } from "../../lib/version.ts";
import { copyCheckout } from "../support/checkout.ts";
import { craftElf } from "../support/launch-fixtures.ts";
import { builtLibrary, FIXTURES, runChild, runtimeCommand } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

// What a group may write to is not taken from the cache.
process.umask(0o022);

type Resolver = (request: LibraryRequest) => ResolvedLibrary;

const TARGET = hostTarget().name;
const FILE = "libjemalloc.so";
const PACKAGE = `@offheap/${TARGET}`;

/** Variables that decide where a library is looked for. */
const VARIABLES = ["OFFHEAP_LIBRARY", "XDG_CACHE_HOME", "HOME"] as const;

type Variables = Partial<Record<(typeof VARIABLES)[number], string>>;

/** Runs `use` with these variables and without the others. */
function withVariables<R>(variables: Variables, use: () => R): R {
  const before = VARIABLES.map((name) => [name, process.env[name]] as const);
  const set = (name: string, value: string | undefined) => {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  };
  for (const name of VARIABLES) set(name, variables[name]);
  try {
    return use();
  } finally {
    for (const [name, value] of before) set(name, value);
  }
}

/** The bytes of a file in the place of a library: headers, and a text to know it by. */
function library(text: string): Uint8Array {
  const headers = craftElf({ bits: 64, machine: 62, interpreter: null });
  return new Uint8Array([...headers, ...new TextEncoder().encode(text)]);
}

/** Puts a library and its manifest into a directory. */
function place(directory: string, text = directory, file = FILE): string {
  mkdirSync(directory, { recursive: true });
  const path = join(directory, file);
  writeFileSync(path, library(text));
  const allocator = file.replace(/^lib|\.so$/g, "");
  writeFileSync(`${path}.json`, JSON.stringify({ allocator, sha256: sha256(text) }));
  return realpathSync(path);
}

/** The hash of what {@linkcode library} makes of a text. */
function sha256(text: string): string {
  return createHash("sha256").update(library(text)).digest("hex");
}

function refusal(use: () => unknown): LibraryLoadError {
  try {
    use();
  } catch (error) {
    assert.ok(error instanceof Error && error.name === "LibraryLoadError", String(error));
    assert.equal(Reflect.get(error, "code"), "ERR_OFFHEAP_LIBRARY_LOAD");
    return error as LibraryLoadError;
  }
  assert.fail("nothing was refused");
}

/** A checkout of its own, its resolver, and where it looks for libraries. */
async function checkout(packages: readonly string[] = []) {
  const root = realpathSync(copyCheckout());
  // Before anything is imported from there: Bun remembers which directories have packages.
  for (const name of packages) {
    const directory = join(root, "node_modules", name);
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, "package.json"), JSON.stringify({ name }));
  }
  const { href } = pathToFileURL(join(root, "lib", "library", "resolve.ts"));
  const { resolveLibrary }: { resolveLibrary: Resolver } = await import(href);
  const cache = join(root, "cache");
  return {
    root,
    cache,
    build: (variant = "release") => join(root, "build", "native", TARGET, variant),
    packaged: join(root, "node_modules", PACKAGE),
    cached: (variant = "release") => join(cache, "offheap", "native", TARGET, variant),
    resolve: (request: Partial<LibraryRequest> = {}, variables: Variables = {}) =>
      withVariables(
        { XDG_CACHE_HOME: cache, HOME: "/nonexistent", ...variables },
        () => resolveLibrary({ name: "jemalloc", ...request }),
      ),
  };
}

test("the places are looked at in their order, and each that had nothing is reported", async () => {
  const { root, build, packaged, cached, resolve } = await checkout([PACKAGE]);
  const named = place(join(root, "named"));
  const variables = { OFFHEAP_LIBRARY: place(join(root, "by-variable")) };
  const paths = {
    build: place(build()),
    package: place(packaged),
    cache: place(cached()),
  };
  const option = resolve({ path: named }, variables);
  assert.deepEqual([option.origin, option.path, option.attempts], ["option", named, []]);
  const environment = resolve({}, variables);
  assert.equal(environment.origin, "environment");
  assert.equal(environment.path, variables.OFFHEAP_LIBRARY);
  assert.deepEqual(environment.attempts, []);
  const passed: { origin: string; path: string; outcome: string }[] = [];
  for (const [origin, path] of Object.entries(paths)) {
    const found = resolve();
    assert.equal(found.origin, origin);
    assert.equal(found.path, path);
    assert.equal(found.sha256, sha256(dirname(path)));
    assert.equal(found.manifest?.sha256, found.sha256);
    assert.deepEqual(found.attempts, passed);
    rmSync(path);
    passed.push({ origin, path, outcome: "no such file" });
  }
  const error = refusal(() => resolve());
  const system = systemLibraryPaths("jemalloc")
    .map((path) => ({ origin: "system", path: join(root, path), outcome: "no such file" }));
  assert.ok(system.length > 2);
  assert.deepEqual(error.attempts, [...passed, ...system]);
  for (const { origin, path } of error.attempts) {
    assert.ok(error.message.includes(`\n  ${origin}: ${path}: no such file`), error.message);
  }
  assert.ok(
    error.message.startsWith(`Cannot find jemalloc. Build it with "${BUILD_COMMAND}", or name `),
    error.message,
  );
});

test("a place that cannot have the library says why", async () => {
  const { resolve } = await checkout();
  const variables = { XDG_CACHE_HOME: "relative", HOME: "also/relative" };
  const { attempts, message } = refusal(() => resolve({ variant: "secure" }, variables));
  assert.deepEqual(attempts.slice(1), [
    { origin: "package", path: "-", outcome: `${PACKAGE} has release and preload libraries only` },
    {
      origin: "cache",
      path: "-",
      outcome: "none of XDG_CACHE_HOME, HOME is set to an absolute path",
    },
    { origin: "system", path: "-", outcome: "systems do not come with this library" },
  ]);
  assert.match(
    message,
    /^Cannot find jemalloc \(secure\)\. .*"npx @offheap\/build@\S+ --variant secure"/,
  );
  const release = refusal(() => resolve({ name: "offheap" }, variables));
  assert.match(
    release.message,
    /^Cannot find offheap's own library\. Build it with "npx @offheap\/build@\S+"\. /,
  );
  assert.equal(release.attempts[1]?.outcome, `${PACKAGE} is not installed`);
});

test("the system's own library comes last", async () => {
  const { root, resolve } = await checkout();
  const own = place(join(root, "usr", "local", "lib"), "own", "libjemalloc.so.2");
  rmSync(`${own}.json`);
  const found = resolve();
  assert.equal(found.origin, "system");
  assert.equal(found.path, own);
  assert.equal(found.sha256, sha256("own"));
  assert.deepEqual(found.attempts.map(({ origin }) => origin), ["build", "package", "cache"]);
});

test("a named path is taken or refused: no other place is tried", async () => {
  const { build, resolve } = await checkout();
  place(build());
  const byOption = refusal(() => resolve({ path: "/nonexistent/lib.so" }));
  assert.deepEqual(byOption.attempts, [
    { origin: "option", path: "/nonexistent/lib.so", outcome: "no such file" },
  ]);
  assert.match(
    byOption.message,
    /^Cannot find jemalloc at "\/nonexistent\/lib\.so", which was named: no such file\. Check the path/,
  );
  const variables = { OFFHEAP_LIBRARY: "/etc/passwd/lib.so" };
  const byVariable = refusal(() => resolve({}, variables));
  assert.deepEqual(byVariable.attempts, [
    { origin: "environment", path: "/etc/passwd/lib.so", outcome: "no such file" },
  ]);
  assert.match(
    byVariable.message,
    /^Cannot find jemalloc at .*, which OFFHEAP_LIBRARY names: no such/,
  );
  assert.doesNotMatch(byVariable.message, /name a file/);
  const shim = refusal(() => resolve({ name: "offheap", variant: "secure" }, variables));
  assert.match(
    shim.message,
    /OFFHEAP_LIBRARY names an allocator's library; this one is needed beside/,
  );
});

test("OFFHEAP_LIBRARY counts for allocators, not for the shim, and not when it is empty", async () => {
  const { root, build, resolve } = await checkout();
  const named = place(join(root, "named"));
  rmSync(`${named}.json`);
  const shim = place(build(), "shim", "liboffheap.so");
  const mimalloc = place(build(), "mimalloc", "libmimalloc.so");
  assert.equal(resolve({ name: "offheap" }, { OFFHEAP_LIBRARY: named }).path, shim);
  assert.equal(resolve({ name: "mimalloc" }, { OFFHEAP_LIBRARY: named }).path, named);
  assert.equal(resolve({ name: "mimalloc" }, { OFFHEAP_LIBRARY: "" }).path, mimalloc);
});

test("each variant has directories of its own, in the build and in the cache", async () => {
  const { build, cached, resolve } = await checkout();
  for (const variant of ["release", "debug", "secure", "preload"] as const) {
    const inBuild = place(build(variant));
    const inCache = place(cached(variant));
    assert.equal(resolve({ variant }).path, inBuild);
    rmSync(inBuild);
    assert.equal(resolve({ variant }).path, inCache);
  }
});

test("without XDG_CACHE_HOME the cache is in the home directory", async () => {
  const { root, resolve } = await checkout();
  const path = place(join(root, ".cache", "offheap", "native", TARGET, "release"));
  for (const XDG_CACHE_HOME of ["", "relative/path"]) {
    const found = resolve({}, { XDG_CACHE_HOME, HOME: root });
    assert.deepEqual([found.origin, found.path], ["cache", path]);
  }
});

test("a manifest covers its library: the hash must agree, wherever the library is", async () => {
  const { build, cached, resolve } = await checkout();
  const good = place(cached(), "good");
  const manifest = {
    allocator: "jemalloc",
    sha256: sha256("good"),
    variant: "release",
    version: "5.3.0",
  };
  writeFileSync(`${good}.json`, JSON.stringify(manifest));
  assert.deepEqual(resolve().manifest, manifest);
  const path = place(build(), "altered");
  writeFileSync(`${path}.json`, JSON.stringify(manifest));
  const { message, attempts } = refusal(() => resolve());
  assert.ok(message.includes(path));
  assert.match(message, /altered after it was built.*npm run build:native -- --force/);
  for (const hash of [sha256("altered"), sha256("good")]) {
    assert.ok(message.includes(hash));
    assert.ok(attempts.at(-1)?.outcome.includes(hash));
  }
  assert.equal(attempts.at(-1)?.origin, "build", "the good one in the cache must not stand in");
  refusal(() => resolve({ path }));
  refusal(() => resolve({}, { OFFHEAP_LIBRARY: path }));
});

test("a manifest that cannot be used refuses its library", async () => {
  const { build, resolve } = await checkout();
  const path = place(build(), "contents");
  for (const text of ["", "{", "null", "5", "{}", '{"sha256":5}', '{"sha256":"abc"}', "[]"]) {
    writeFileSync(`${path}.json`, text);
    const { message } = refusal(() => resolve());
    assert.match(
      message,
      /^Cannot load ".*libjemalloc\.so": its manifest ".*\.json" cannot be used/,
    );
  }
  rmSync(`${path}.json`);
  mkdirSync(`${path}.json`);
  assert.match(refusal(() => resolve()).message, /its manifest ".*\.json" cannot be used/);
});

test("a link is followed to the file, and the manifest beside either of them counts", async () => {
  const { root, build, resolve } = await checkout();
  const real = place(join(root, "elsewhere"), "contents");
  mkdirSync(build(), { recursive: true });
  const link = join(build(), FILE);
  symlinkSync(real, link);
  assert.equal(resolve().path, real);
  rmSync(`${real}.json`);
  assert.match(refusal(() => resolve()).message, /: it has no manifest\. /);
  for (const beside of [real, link]) {
    writeFileSync(
      `${beside}.json`,
      JSON.stringify({ allocator: "jemalloc", sha256: sha256("other") }),
    );
    refusal(() => resolve());
    writeFileSync(
      `${beside}.json`,
      JSON.stringify({ allocator: "jemalloc", sha256: sha256("contents") }),
    );
    assert.equal(resolve().manifest?.sha256, sha256("contents"));
    rmSync(`${beside}.json`);
  }
});

test("a file that is damaged, or no library at all, is refused before anything loads it", async () => {
  const { root, build, resolve } = await checkout();
  const whole = library("whole");
  const cases: readonly (readonly [Uint8Array, RegExp])[] = [
    [whole.slice(0, 100), /its ELF file is truncated or damaged/],
    [whole.slice(0, 20), /its ELF file is truncated or damaged/],
    [new Uint8Array(0), /it is not an ELF file/],
    [new TextEncoder().encode("text"), /it is not an ELF file/],
  ];
  mkdirSync(build(), { recursive: true });
  for (const [bytes, why] of cases) {
    const path = join(root, "named.so");
    writeFileSync(path, bytes);
    assert.match(refusal(() => resolve({ path })).message, why);
    writeFileSync(join(build(), FILE), bytes);
    const digest = createHash("sha256").update(bytes).digest("hex");
    writeFileSync(join(build(), `${FILE}.json`), JSON.stringify({ sha256: digest }));
    const { message, attempts } = refusal(() => resolve());
    assert.match(message, why);
    assert.equal(attempts.at(-1)?.origin, "build");
  }
});

test("what is no regular file is refused at once, and so is what cannot be examined", async () => {
  const { root, build, resolve } = await checkout();
  const pipe = join(root, "pipe");
  execFileSync("mkfifo", [pipe]);
  const loop = join(root, "loop");
  symlinkSync(loop, loop);
  const cases: readonly (readonly [string, RegExp])[] = [
    [pipe, /is not a regular file/],
    [root, /is not a regular file/],
    ["/dev/null", /is not a regular file/],
    [loop, /cannot be examined \(ELOOP\)/],
    // A regular file, which has nothing at 0.
    ["/proc/self/mem", /cannot be read \(EIO\)/],
    [`/${"x".repeat(5000)}`, /cannot be examined \(ENAMETOOLONG\)/],
  ];
  for (const [path, why] of cases) {
    const { message, attempts } = refusal(() => resolve({ path }));
    assert.match(message, why);
    assert.match(String(attempts.at(-1)?.outcome), /^refused: it /);
    refusal(() => resolve({}, { OFFHEAP_LIBRARY: path }));
  }
  mkdirSync(join(build(), FILE), { recursive: true });
  assert.match(refusal(() => resolve()).message, /is not a regular file/);
});

/** What to do about a file that is refused, by its place. */
const REMEDIES = {
  build: 'Build it again with "npm run build:native -- --force".',
  package: `Install ${PACKAGE} ${VERSION} again.`,
  cache: `Build it again with "${BUILD_COMMAND} --force".`,
} as const;

/** Uses the path of jemalloc's library in each place that offheap fills, the others being empty. */
async function inOwnPlaces(
  use: (path: string, remedy: string, resolve: () => ResolvedLibrary) => void,
): Promise<void> {
  const { build, packaged, cached, resolve } = await checkout([PACKAGE]);
  const directories = { build: build(), package: packaged, cache: cached() };
  for (const origin of ["build", "package", "cache"] as const) {
    const directory = directories[origin];
    mkdirSync(directory, { recursive: true });
    const path = join(realpathSync(directory), FILE);
    use(path, REMEDIES[origin], resolve);
    rmSync(path, { recursive: true, force: true });
  }
}

test("a place that offheap fills has a remedy of its own for what is no such library", () =>
  inOwnPlaces((path, remedy, resolve) => {
    mkdirSync(path, { recursive: true });
    assert.equal(
      refusal(resolve).message,
      `Cannot load "${path}": it is not a regular file. ${remedy}`,
    );
    rmSync(path, { recursive: true });
    writeFileSync(path, library("other"));
    assert.equal(
      refusal(resolve).message,
      `Cannot load "${path}": it has no manifest. ${remedy}`,
    );
    const manifest = { allocator: "mimalloc", version: "2.0.9", sha256: sha256("other") };
    writeFileSync(`${path}.json`, JSON.stringify(manifest));
    assert.equal(
      refusal(resolve).message,
      `Cannot load "${path}": its manifest says that it is mimalloc 2.0.9, not jemalloc. ${remedy}`,
    );
  }));

const NOT_ROOT = process.getuid?.() !== 0;

test(
  "a file that this user may not read is refused",
  skipUnless(NOT_ROOT, "root may read every file"),
  async () => {
    const { build, resolve } = await checkout();
    chmodSync(place(build()), 0);
    assert.match(refusal(() => resolve()).message, /cannot be read \(EACCES\)/);
  },
);

test("an invalid path, and an unknown variant, are refused before anything is looked at", async () => {
  const { resolve } = await checkout();
  for (const path of ["", "a\0b", 5, null, {}, ["/lib.so"]]) {
    assert.throws(() => Reflect.apply(resolve, undefined, [{ path }]), {
      name: "TypeError",
      message: /^Cannot look for a library: its path must be a path that is not empty; got /,
    });
  }
  for (const variant of ["", "Release", "constructor"]) {
    assert.throws(() => Reflect.apply(resolve, undefined, [{ variant }]), {
      name: "RangeError",
      message: /its variant must be one of release, debug, secure, preload; got '/,
    });
  }
});

test("a library in the cache is verified like one of the build", async () => {
  const { root, cached, cache } = await checkout();
  mkdirSync(cached(), { recursive: true });
  for (const name of ["jemalloc", "offheap"]) {
    const path = join(realpathSync(cached()), `lib${name}.so`);
    copyFileSync(builtLibrary(name), path);
    copyFileSync(`${builtLibrary(name)}.json`, `${path}.json`);
  }
  copyFileSync(join(FIXTURES, "verify-child.ts"), join(root, "tests", "fixtures", "v.ts"));
  // The copy has no packages: koffi is found from a directory that has them.
  symlinkSync(
    realpathSync(join(FIXTURES, "..", "..", "node_modules")),
    join(root, "node_modules"),
  );
  const command = runtimeCommand(join(root, "tests", "fixtures", "v.ts"));
  const { stdout, stderr } = await runChild(command, { variables: { XDG_CACHE_HOME: cache } });
  assert.notEqual(stdout, "", stderr);
  const found = JSON.parse(stdout);
  assert.equal(found.library.origin, "cache");
  assert.equal(found.library.manifest, true);
  assert.equal(found.memoryAllocatorVerified, true);
});
