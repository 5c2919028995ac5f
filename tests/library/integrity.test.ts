import assert from "node:assert/strict";
import { copyFileSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { BUILD_COMMAND } from "../../lib/build-command.ts";
import type { ReleaseHashes } from "../../lib/library/release-hashes.ts";
import { packagedFile } from "../../lib/library/directories.ts";
import { LibraryLoadError } from "../../lib/errors.ts";
import { librariesOf } from "../../lib/library/manifest.ts";
import { notFound, systemUnusable } from "../../lib/library/not-found.ts";
import { sha256File } from "../../packages/build/store/hashes.ts";
import {
  RELEASE_HASHES_FILE,
  releaseHashes,
  releaseHashesSource,
} from "../../scripts/npm/release-hashes.ts";
import { TARGETS } from "../../lib/library/targets.ts";
import { VERSION } from "../../lib/version.ts";
import type * as Offheap from "../../mod.ts";
import { compileShared, temporaryDirectory } from "../support/compile.ts";
import { fileOf, fill, flip, makeRelease, ownHashes, PACKAGE } from "../support/release.ts";
import { builtLibrary, offheapCommand, ROOT, runChild } from "../support/runtime.ts";

type Module = typeof Offheap;

/** The variants that a release has. */
const VARIANTS = ["release", "preload"] as const;

const HASHES = ownHashes();
const TARGET = PACKAGE.slice("@offheap/".length);

/** The sentence with which both ways to load a library refuse; they must say the same. */
function refusal({ openAllocator, verifyAllocator }: Module): string {
  let message = "";
  assert.throws(() => openAllocator(), (error: Error) => {
    assert.equal(error.name, "LibraryLoadError", error.message);
    message = error.message;
    return true;
  });
  const { memoryAllocatorVerified, library, evidence } = verifyAllocator();
  assert.equal(memoryAllocatorVerified, false);
  assert.equal(library, null);
  const found = evidence.filter(({ scope }) => scope === "library");
  assert.deepEqual(found, [{
    scope: "library",
    check: "symbol",
    outcome: "fail",
    detail: message,
  }]);
  return message;
}

/** The middle of a value in a manifest that says nothing but how the library was built. */
function innocentPosition(manifest: string): number {
  return readFileSync(manifest, "utf8").indexOf('"compiler"') + 15;
}

function digitPosition(manifest: string): number {
  return readFileSync(manifest, "utf8").indexOf('"sha256": "', 600) + 20;
}

for (const origin of ["package", "cache"] as const) {
  test(`a library in the ${origin} with one byte altered is refused, wherever the byte is`, async () => {
    const release = makeRelease(
      origin === "package" ? { packaged: true, hashes: HASHES } : { cached: true },
    );
    const directory = origin === "package" ? release.packageDirectory : release.cacheDirectory;
    const path = join(directory, fileOf("jemalloc"));
    const { size } = statSync(path);
    const whole = sha256File(path);
    const remedy = origin === "package"
      ? `Install ${PACKAGE} ${VERSION} again.`
      : `Build it again with "${BUILD_COMMAND} --force".`;
    await release.use((offheap) => {
      for (const position of [0, 18, size >> 2, size >> 1, size - 1]) {
        flip(path, position);
        assert.equal(
          refusal(offheap),
          `Cannot load "${path}": its sha256 is ${sha256File(path)}, but its manifest says ` +
            `${whole}: the file was altered after it was built. ${remedy}`,
        );
        const { intact, libraries } = offheap.verifyIntegrity();
        assert.equal(intact, false);
        const [found] = libraries.filter((library) => library.path === path);
        assert.deepEqual([found?.verdict, found?.origin], ["altered", origin]);
        assert.equal(found?.refusal, refusal(offheap));
        flip(path, position);
      }
      assert.equal(offheap.verifyIntegrity().intact, true);
    });
    const preloaded = origin === "package"
      ? join(directory, "preload", fileOf("jemalloc"))
      : join(directory, "..", "preload", fileOf("jemalloc"));
    flip(preloaded, size >> 1);
    const run = await release.offheap("run", "--", "echo", "started");
    assert.deepEqual([run.status, run.stdout], [125, ""]);
    assert.match(run.stderr, /^offheap: Cannot load ".*": its sha256 is .* altered after it was/);
    // Only now is it loaded: a file that is mapped must not be written to.
    await release.use(({ openAllocator, verifyAllocator }) => {
      assert.equal(verifyAllocator().library?.origin, origin);
      assert.equal(verifyAllocator().memoryAllocatorVerified, true);
      openAllocator().close();
    });
  });
}

test("the shim with one byte altered is refused like an allocator's library", async () => {
  const release = makeRelease({ packaged: true, hashes: HASHES });
  const shim = join(release.packageDirectory, fileOf("offheap"));
  flip(shim, statSync(shim).size >> 1);
  await release.use(({ openAllocator }) =>
    assert.throws(() => openAllocator(), {
      name: "LibraryLoadError",
      message: /^Cannot load ".*liboffheap\.so": its sha256 is .* altered after it was built/,
    })
  );
  const run = await release.offheap("run", "--", "echo", "started");
  assert.deepEqual([run.status, run.stdout], [125, ""]);
});

test("a manifest with one byte altered refuses its library: in a package, any byte", async () => {
  const release = makeRelease({ packaged: true, hashes: HASHES });
  const manifest = join(release.packageDirectory, `${fileOf("jemalloc")}.json`);
  const cases: readonly (readonly [number, RegExp])[] = [
    [0, /its manifest ".*\.json" cannot be used/],
    [digitPosition(manifest), /but its manifest says .* altered after it was built/],
    [
      innocentPosition(manifest),
      /its manifest's own sha256 is .*: the manifest was altered\. Inst/,
    ],
    [statSync(manifest).size - 1, /cannot be used|the manifest was altered/],
  ];
  await release.use((offheap) => {
    for (const [position, message] of cases) {
      flip(manifest, position);
      assert.match(refusal(offheap), message);
      const [found] = offheap.verifyIntegrity().libraries;
      assert.deepEqual([found?.name, found?.verdict], ["jemalloc", "altered"]);
      flip(manifest, position);
    }
    renameSync(manifest, `${manifest}.gone`);
    assert.match(refusal(offheap), /: it has no manifest\. Install /);
    assert.equal(offheap.verifyIntegrity().libraries[0]?.verdict, "no manifest");
  });
});

test("in the cache a manifest whose hash is altered by one digit refuses its library", async () => {
  const release = makeRelease({ cached: true });
  const manifest = join(release.cacheDirectory, `${fileOf("jemalloc")}.json`);
  flip(manifest, digitPosition(manifest));
  await release.use((offheap) => {
    assert.match(refusal(offheap), /but its manifest says /);
    flip(manifest, 0);
    assert.match(refusal(offheap), /its manifest ".*\.json" cannot be used/);
    const [found] = offheap.verifyIntegrity().libraries;
    assert.deepEqual([found?.verdict, found?.manifestSha256], ["altered", null]);
  });
});

for (const origin of ["package", "cache"] as const) {
  test(`a library in the ${origin} without its manifest is refused, altered or not`, async () => {
    const release = makeRelease(origin === "package" ? { packaged: true } : { cached: true });
    const directory = origin === "package" ? release.packageDirectory : release.cacheDirectory;
    const path = join(directory, fileOf("jemalloc"));
    const remedy = origin === "package"
      ? `Install ${PACKAGE} ${VERSION} again.`
      : `Build it again with "${BUILD_COMMAND} --force".`;
    rmSync(`${path}.json`);
    await release.use((offheap) => {
      for (const _ of ["altered", "as it was"]) {
        flip(path, statSync(path).size >> 1);
        assert.equal(refusal(offheap), `Cannot load "${path}": it has no manifest. ${remedy}`);
        const { intact, libraries } = offheap.verifyIntegrity();
        assert.equal(intact, false);
        const [found] = libraries.filter((library) => library.path === path);
        assert.deepEqual([found?.verdict, found?.refusal], ["no manifest", refusal(offheap)]);
      }
    });
    const report = await release.offheap("verify", "--integrity");
    assert.equal(report.status, 1);
    assert.match(report.stdout, /^\/.*\/libjemalloc\.so +release +no manifest /m);
    assert.match(report.stderr, /^offheap: Cannot load ".*": it has no manifest\. /);
  });
}

/** Alters a library, and its manifest with it. */
function replaceConsistently(path: string): void {
  flip(path, statSync(path).size >> 1);
  const manifest = JSON.parse(readFileSync(`${path}.json`, "utf8"));
  writeFileSync(`${path}.json`, JSON.stringify({ ...manifest, sha256: sha256File(path) }));
}

test("library and manifest replaced together are refused by the release's hashes alone", async () => {
  const release = makeRelease({ packaged: true, hashes: HASHES });
  const path = join(release.packageDirectory, fileOf("jemalloc"));
  const released = sha256File(path);
  replaceConsistently(path);
  const sentence = `Cannot load "${path}": its sha256 is ${sha256File(path)}, but offheap ` +
    `${VERSION} was released with ${released}: the file was replaced, or its package is of ` +
    `another version. Install ${PACKAGE} ${VERSION} again.`;
  await release.use((offheap) => {
    assert.equal(refusal(offheap), sentence);
    const report = offheap.verifyIntegrity();
    assert.deepEqual([report.intact, report.release], [false, true]);
    assert.deepEqual(report.libraries[0], {
      name: "jemalloc",
      variant: "release",
      origin: "package",
      path,
      sha256: sha256File(path),
      manifestSha256: sha256File(path),
      releaseSha256: released,
      verdict: "not of this release",
      refusal: sentence,
    });
  });
  const preloaded = join(release.packageDirectory, "preload", fileOf("jemalloc"));
  replaceConsistently(preloaded);
  const run = await release.offheap("run", "--", "echo", "started");
  assert.deepEqual([run.status, run.stdout], [125, ""]);
  assert.match(
    run.stderr,
    /^offheap: Cannot load ".*preload\/libjemalloc\.so": .* was released with/,
  );
  // Without the table the manifest is all there is, and it agrees.
  const checkout = makeRelease({ packaged: true });
  const other = join(checkout.packageDirectory, fileOf("jemalloc"));
  replaceConsistently(other);
  await checkout.use(({ verifyIntegrity }) => {
    const [found] = verifyIntegrity().libraries;
    assert.deepEqual([found?.verdict, found?.releaseSha256], ["intact", null]);
  });
});

test("a package of a target that the release does not have is refused, and a cache is not", async () => {
  const hashes: ReleaseHashes = { "plan9-vax": { "libjemalloc.so": "0".repeat(64) } };
  const release = makeRelease({ packaged: true, hashes });
  await release.use((offheap) => {
    assert.match(
      refusal(offheap),
      new RegExp(`: offheap ${VERSION} was released without such a library\\. Install `),
    );
    const verdicts = offheap.verifyIntegrity().libraries.map(({ verdict }) => verdict);
    assert.deepEqual(verdicts, Array(5).fill("not of this release"));
  });
  const cached = makeRelease({ cached: true, hashes });
  await cached.use(({ verifyAllocator, verifyIntegrity }) => {
    assert.equal(verifyIntegrity().intact, true);
    assert.equal(verifyAllocator().library?.origin, "cache");
  });
});

test("a library that an installed package lacks is refused: the cache does not stand in", async () => {
  const release = makeRelease({ packaged: true, cached: true, hashes: HASHES });
  const path = join(release.packageDirectory, fileOf("jemalloc"));
  const released = sha256File(path);
  rmSync(path);
  const sentence = `Cannot load "${path}": it is missing, and offheap ${VERSION} was released ` +
    `with it in ${PACKAGE}. Install ${PACKAGE} ${VERSION} again.`;
  await release.use((offheap) => {
    assert.equal(refusal(offheap), sentence);
    const { intact, libraries } = offheap.verifyIntegrity();
    assert.equal(intact, false);
    assert.deepEqual(libraries[0], {
      name: "jemalloc",
      variant: "release",
      origin: "package",
      path,
      sha256: null,
      manifestSha256: null,
      releaseSha256: released,
      verdict: "missing",
      refusal: sentence,
    });
    assert.deepEqual(libraries.slice(1).filter(({ verdict }) => verdict !== "intact"), []);
  });
  const report = await release.offheap("verify", "--integrity");
  assert.equal(report.status, 1);
  assert.match(report.stdout, /^\/.*\/libjemalloc\.so +release +missing /m);
  assert.equal(report.stderr, `offheap: ${sentence}\n`);
  // Without the package, and without the release's hashes, the next place is taken.
  const description = join(release.packageDirectory, "package.json");
  writeFileSync(description, JSON.stringify({ name: "another" }));
  const checkout = makeRelease({ packaged: true, cached: true });
  rmSync(join(checkout.packageDirectory, fileOf("jemalloc")));
  for (const { use } of [release, checkout]) {
    await use(({ verifyAllocator, verifyIntegrity }) => {
      assert.equal(verifyIntegrity().intact, true);
      assert.equal(verifyAllocator().library?.origin, "cache");
    });
  }
});

test("verify --integrity shows each library with its hashes, and its status says whether all hold", async () => {
  const release = makeRelease({ packaged: true, cached: true, hashes: HASHES });
  const good = await release.offheap("verify", "--integrity");
  assert.deepEqual([good.status, good.stderr], [0, ""]);
  assert.ok(good.stdout.startsWith(`offheap ${VERSION} for ${TARGET} (the hashes of this release`));
  const whole = sha256File(builtLibrary("jemalloc")).slice(0, 12);
  const row = (release: string) =>
    new RegExp(
      `^/.*/libjemalloc\\.so +release +intact +${whole} +${whole} +${release}$`,
      "m",
    );
  const [, packaged = "", cached = ""] = good.stdout.split("\n\n");
  assert.ok(packaged.startsWith(`package: ${release.packageDirectory}\n`), packaged);
  assert.match(packaged, row(whole));
  assert.ok(cached.startsWith(`cache: ${release.cacheDirectory}\n`), cached);
  assert.match(cached, row("–"));

  const path = join(release.cacheDirectory, fileOf("mimalloc"));
  flip(path, 5000);
  const bad = await release.offheap("verify", "--integrity");
  assert.equal(bad.status, 1);
  assert.match(bad.stdout, /^\/.*\/libmimalloc\.so +release +altered /m);
  assert.ok(bad.stderr.startsWith(`offheap: Cannot load "${path}": its sha256 is `), bad.stderr);
  const json = await release.offheap("verify", "--integrity", "--json");
  assert.equal(json.status, 1);
  const report = JSON.parse(json.stdout) as Offheap.IntegrityReport;
  assert.deepEqual(report.libraries.map(({ origin, verdict }) => `${origin} ${verdict}`), [
    "package intact",
    "cache intact",
    "package intact",
    "cache altered",
    "package intact",
    "cache intact",
    // The variant for preloading.
    ...["package intact", "cache intact"],
    ...["package intact", "cache intact"],
  ]);
});

test("a named library is reported, too: without a manifest, with one, and when it is not there", async () => {
  const decoy = compileShared("decoy-names.c", "integrity-decoy.so");
  const release = makeRelease({});
  await release.use(({ verifyIntegrity }) => {
    assert.deepEqual(verifyIntegrity().libraries, []);
    const { intact, libraries: [found] } = verifyIntegrity({ library: decoy });
    assert.equal(intact, true);
    assert.deepEqual([found?.name, found?.variant, found?.origin], [null, null, "option"]);
    assert.deepEqual([found?.verdict, found?.manifestSha256], ["no manifest", null]);
    const [built] = verifyIntegrity({ library: builtLibrary("mimalloc") }).libraries;
    assert.deepEqual([built?.name, built?.variant, built?.verdict], [
      "mimalloc",
      "release",
      "intact",
    ]);
    assert.throws(() => verifyIntegrity({ library: "/nonexistent/x.so" }), {
      name: "LibraryLoadError",
      message: /^Cannot load "\/nonexistent\/x\.so": no such file\. /,
    });
  });
  const variables = { OFFHEAP_LIBRARY: decoy };
  const text = await runChild(offheapCommand("verify", "--integrity"), { variables });
  assert.equal(text.status, 0, text.stderr);
  assert.match(
    text.stdout,
    /\nenvironment: .*\n.*\n\/.*\/integrity-decoy\.so +– +no manifest /,
  );
});

test("--integrity without an intact library ends with 1: nothing was proven", async () => {
  const release = makeRelease({});
  const none = await release.offheap("verify", "--integrity");
  assert.equal(none.status, 1);
  assert.match(none.stderr, /^offheap: Cannot verify any(thing: no library is installed| library)/);
  const json = await release.offheap("verify", "--integrity", "--json");
  assert.equal(json.status, 1);
  const found = JSON.parse(json.stdout).libraries as readonly { readonly verdict: string }[];
  assert.deepEqual(found.filter(({ verdict }) => verdict === "intact"), []);
});

test("a missing library is named by the package that has it, where packages are installed", () => {
  const attempts = [
    {
      origin: "build",
      path: "-",
      outcome: "offheap was not started from a clone of its repository",
    },
    { origin: "package", path: "-", outcome: `${PACKAGE} is not installed` },
  ];
  for (const name of ["jemalloc", "offheap"] as const) {
    const { message } = notFound({ name, variant: "release" }, attempts);
    const what = name === "offheap" ? "offheap's own library" : name;
    const install = `Install it with "npm install ${PACKAGE}@${VERSION}", or build the libraries`;
    assert.ok(
      message.startsWith(
        `Cannot find ${what}: the package ${PACKAGE} is not installed. ${install}`,
      ),
      message,
    );
  }
  const secure = notFound({ name: "jemalloc", variant: "secure" }, attempts);
  assert.match(
    secure.message,
    /^Cannot find jemalloc \(secure\)\. Build it with .* --variant secure"/,
  );
  const own = { name: "jemalloc", path: "/usr/lib/libjemalloc.so.2", origin: "system" } as const;
  const cause = new LibraryLoadError("cannot allocate memory in static TLS block");
  const unusable = systemUnusable({ ...own, sha256: null, manifest: null, attempts }, cause);
  assert.match(
    unusable.message,
    /: the package @offheap\/.* is not installed\..*can only be preloaded/,
  );
  assert.doesNotMatch(unusable.message, /static TLS/);
});

test("the release's table is made of what is built, and of nothing that its manifest denies", () => {
  const targets = TARGETS.filter(({ name }) => name === TARGET);
  const root = temporaryDirectory();
  const directory = fill(join(root, "build", "native", TARGET, "release"));
  fill(join(directory, "..", "preload"), "preload");
  const hashes = releaseHashes(root, targets);
  assert.deepEqual(hashes, HASHES);
  const files = VARIANTS.flatMap((variant) =>
    librariesOf(variant).flatMap((name) =>
      [fileOf(name), `${fileOf(name)}.json`].map((file) => packagedFile(file, variant))
    )
  );
  assert.deepEqual(Object.keys(hashes[TARGET] ?? {}), files);
  for (const [file, hash] of Object.entries(hashes[TARGET] ?? {})) {
    const place = file.startsWith("preload/") ? join("..", file) : file;
    assert.equal(hash, sha256File(join(directory, place)));
  }
  assert.throws(
    () => releaseHashes(root),
    / is not built\. Build it /,
    "all targets are wanted by default",
  );
  flip(join(directory, fileOf("mimalloc")), 0);
  assert.throws(() => releaseHashes(root, targets), /^Error: Cannot release ".*libmimalloc\.so": /);
  rmSync(join(directory, fileOf("mimalloc")));
  assert.throws(() => releaseHashes(root, targets), / is not built\. Build it /);
});

test("the second variant has a folder of its own, in the table as in the package", () => {
  const root = temporaryDirectory();
  const target = TARGETS.find(({ name }) => name === "darwin-arm64");
  assert.ok(target);
  for (const variant of VARIANTS) {
    const directory = fill(join(root, "build", "native", target.name, variant), variant);
    for (const name of librariesOf(variant)) {
      for (const suffix of ["", ".json"]) {
        const from = join(directory, `${fileOf(name)}${suffix}`);
        copyFileSync(from, join(directory, `lib${name}.dylib${suffix}`));
      }
    }
  }
  const files = Object.keys(releaseHashes(root, [target])["darwin-arm64"] ?? {});
  assert.equal(files.length, 10);
  assert.ok(files.includes("libjemalloc.dylib.json"));
  assert.ok(files.includes("preload/libmimalloc.dylib"));
});

test("a checkout's table is empty, and is what the generator writes for an empty one", () => {
  const text = readFileSync(join(ROOT, RELEASE_HASHES_FILE), "utf8");
  assert.equal(text, releaseHashesSource({}));
});
