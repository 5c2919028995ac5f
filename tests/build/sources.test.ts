import assert from "node:assert/strict";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { BuildError } from "../../lib/errors.ts";
import { deriveDeb822, deriveList } from "../../packages/build/store/apt-sources.ts";
import { DownloadError } from "../../packages/build/store/download.ts";
import { fetchPinned } from "../../packages/build/store/fetch.ts";
import { hashDirectory, sha256 } from "../../packages/build/store/hashes.ts";
import { unpack } from "../../packages/build/store/unpack.ts";
import { versionScript } from "../../packages/build/recipe/link.ts";
import { type Pin, pinnedVersions, pinsFor } from "../../packages/build/plan/pins.ts";
import type { Source, SourceContext } from "../../packages/build/types.ts";
import { temporaryDirectory } from "../support/compile.ts";

// What a group may write to is not taken from the cache.
process.umask(0o022);

const ARCHIVE = "the archive's bytes";

function context(upstream?: string): SourceContext {
  const directory = temporaryDirectory();
  const temporary = join(directory, "temporary");
  mkdirSync(temporary);
  return {
    cache: directory,
    sources: join(directory, "sources"),
    temporary,
    upstream,
    environment: {},
    debian: null,
  };
}

/** Serves `/good.tar.gz`, and nothing else, on the loopback device while the test runs. */
async function withServer(
  use: (base: string, asked: readonly string[]) => Promise<void>,
): Promise<void> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    const found = request.url === "/good.tar.gz";
    response.writeHead(found ? 200 : 404).end(found ? ARCHIVE : "");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  try {
    await use(`http://127.0.0.1:${address.port}`, asked);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

function pin(version: string, url: string, file: string, hash = sha256(ARCHIVE)): Pin {
  return { allocator: "mimalloc", version, upstream: { url, file, sha256: hash } };
}

test("an archive comes from upstream once, and from the cache after that", async () => {
  await withServer(async (base, asked) => {
    const pins = [pin("1.0.0", `${base}/good.tar.gz`, "good.tar.gz")];
    const where = context();
    const first = await fetchPinned(pins, where);
    assert.deepEqual([first.origin, first.version, first.name, first.sha256], [
      "upstream",
      "1.0.0",
      "good.tar.gz",
      sha256(ARCHIVE),
    ]);
    const second = await fetchPinned(pins, where);
    assert.equal(second.origin, "cache");
    assert.deepEqual(asked, ["/good.tar.gz"]);
    assert.deepEqual(readdirSync(where.sources), ["good.tar.gz"]);
  });
});

test("another base URL takes the place of upstream's servers", async () => {
  await withServer(async (base) => {
    const pins = [pin("1.0.0", "https://host.invalid/deep/path/v1.tar.gz", "good.tar.gz")];
    const source = await fetchPinned(pins, context(`${base}/`));
    assert.equal(source.reason, `from ${base}/good.tar.gz`);
  });
});

test("where the preferred version is not to be had the next one is taken, and the reason given", async () => {
  await withServer(async (base) => {
    const pins = [
      pin("2.0.0", `${base}/missing.tar.gz`, "missing.tar.gz"),
      pin("1.0.0", `${base}/good.tar.gz`, "good.tar.gz"),
    ];
    const source = await fetchPinned(pins, context());
    assert.equal(source.version, "1.0.0");
    assert.match(source.reason, /; before it: 2\.0\.0: 127\.0\.0\.1:\d+ answered 404 for /);
  });
});

test("a download with another checksum ends the search: no other version is taken for it", async () => {
  await withServer(async (base) => {
    const wrong = pin("2.0.0", `${base}/good.tar.gz`, "wrong.tar.gz", "0".repeat(64));
    const pins = [wrong, pin("1.0.0", `${base}/good.tar.gz`, "good.tar.gz")];
    const where = context();
    await assert.rejects(
      fetchPinned(pins, where),
      (error) =>
        error instanceof BuildError && error.message.includes("0".repeat(64)) &&
        error.message.includes(sha256(ARCHIVE)),
    );
    assert.deepEqual(readdirSync(where.sources), []);
    assert.deepEqual(readdirSync(where.temporary), []);
  });
});

test("an archive that was put into the cache by hand is taken under either of its names", async () => {
  const where = context();
  mkdirSync(where.sources, { recursive: true });
  writeFileSync(join(where.sources, "debian.tar.gz"), ARCHIVE);
  const source = await fetchPinned([{
    ...pin("1.0.0", "https://host.invalid/x", "upstream.tar.gz"),
    debian: { package: "example", file: "debian.tar.gz", sha256: sha256(ARCHIVE) },
  }], where);
  assert.deepEqual([source.origin, source.name], ["cache", "debian.tar.gz"]);
});

test("a source that cannot be made ready counts as not to be had, and the next one is taken", async () => {
  await withServer(async (base) => {
    const pins = [
      pin("2.0.0", `${base}/good.tar.gz`, "newer.tar.gz"),
      pin("1.0.0", `${base}/good.tar.gz`, "good.tar.gz"),
    ];
    const where = context();
    const prepare = (source: Source): Promise<Source> =>
      source.version === "2.0.0"
        ? Promise.reject(new DownloadError("no tool for it"))
        : Promise.resolve({ ...source, path: "/ready" });
    const source = await fetchPinned(pins, where, prepare);
    assert.deepEqual([source.version, source.path], ["1.0.0", "/ready"]);
    assert.match(source.reason, /; before it: 2\.0\.0: no tool for it$/);
    // In the cache it is no more ready than before, and each way is tried.
    const again = await fetchPinned(pins, where, prepare);
    assert.match(again.reason, /: no tool for it; 2\.0\.0: no tool for it$/);
    const broken = (): Promise<Source> => Promise.reject(new BuildError("it broke"));
    await assert.rejects(fetchPinned(pins, where, broken), /it broke/);
  });
});

test("every pin has a source with a sha256, and there is one that Debian has", () => {
  for (const allocator of ["jemalloc", "mimalloc"] as const) {
    for (const version of pinnedVersions(allocator)) {
      const [found] = pinsFor(allocator, version);
      const archives = [found?.upstream, found?.debian].filter((archive) => archive !== undefined);
      assert.ok(archives.length > 0);
      for (const archive of archives) assert.match(archive.sha256, /^[0-9a-f]{64}$/);
    }
  }
  const preferred = (allocator: "jemalloc" | "mimalloc"): string[] =>
    pinsFor(allocator, undefined).map((found) => found.version);
  assert.deepEqual(preferred("mimalloc"), ["2.4.1", "2.0.9"]);
  assert.deepEqual(preferred("jemalloc"), ["5.3.1", "5.3.0"]);
});

test("apt's one-line sources become source packages' with their options kept", () => {
  const text = [
    "# deb http://host.invalid/debian old main",
    "deb [signed-by=/k.gpg arch=amd64] http://host.invalid/debian stable main contrib",
    "deb-src http://host.invalid/debian stable main",
    "deb http://host.invalid/debian stable main",
    "deb cdrom:[Debian]/ stable main",
    "",
  ].join("\n");
  assert.equal(
    deriveList(text),
    "deb-src [signed-by=/k.gpg arch=amd64] http://host.invalid/debian stable main contrib\n" +
      "deb-src http://host.invalid/debian stable main\n",
  );
});

test("apt's deb822 sources become source packages' with keys kept and disabled ones left out", () => {
  const text = [
    "# a comment",
    "Types: deb deb-src",
    "URIs: http://host.invalid/debian",
    "Suites: stable",
    "Components: main",
    "Signed-By:",
    " -----BEGIN PGP PUBLIC KEY BLOCK-----",
    " .",
    " abc",
    "",
    "types: deb",
    "Enabled: no",
    "URIs: http://host.invalid/other",
    "",
    "Types: deb",
    "# http://host.invalid/snapshot",
    "URIs: http://host.invalid/third",
    "",
  ].join("\n");
  assert.equal(
    deriveDeb822(text),
    "Types: deb-src\nURIs: http://host.invalid/debian\nSuites: stable\nComponents: main\n" +
      "Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n\n" +
      "Types: deb-src\nURIs: http://host.invalid/third\n",
  );
});

test("packages are listed where packages were, and not where only their sources were", () => {
  const packages = { type: "deb" } as const;
  const list = "deb-src http://host.invalid/debian new main\n" +
    "deb http://host.invalid/debian stable main\n";
  assert.equal(deriveList(list, packages), "deb http://host.invalid/debian stable main\n");
  const stanzas = "Types: deb-src\nURIs: http://host.invalid/new\n\n" +
    "Types:\n deb-src\n deb\nURIs: http://host.invalid/both\n";
  assert.equal(deriveDeb822(stanzas, packages), "Types: deb\nURIs: http://host.invalid/both\n");
});

test("another suite takes the place of a release's, whatever keys the machine has", () => {
  const wanted = { type: "deb-src", suite: "forky" } as const;
  const list = [
    "deb [arch=amd64] http://host.invalid/debian stable main contrib",
    "deb http://host.invalid/debian stable-updates main",
    "deb http://host.invalid/flat ./",
    "deb http://host.invalid/debian old main",
  ].join("\n");
  assert.equal(
    deriveList(list, wanted),
    "deb-src [arch=amd64 trusted=yes] http://host.invalid/debian forky main contrib\n" +
      "deb-src [trusted=yes] http://host.invalid/debian forky main\n",
  );
  const stanzas = [
    "Types: deb",
    "URIs: http://host.invalid/debian",
    "Suites: stable",
    " stable-updates",
    "Trusted: no",
    "Signed-By: /k.gpg",
    "",
    "Types: deb",
    "URIs: http://host.invalid/security",
    "Suites: stable-security",
  ].join("\n");
  assert.equal(
    deriveDeb822(stanzas, wanted),
    "Types: deb-src\nURIs: http://host.invalid/debian\nSuites: forky\nSigned-By: /k.gpg\n" +
      "Trusted: yes\n",
  );
});

test("the version script names what must be there and globs what may be", () => {
  assert.equal(
    versionScript({ required: ["malloc"], optional: ["cfree"] }),
    "{\n  global:\n    malloc;\n    [c]free;\n  local: *;\n};\n",
  );
});

test("what is no source in a directory is neither copied nor hashed, a worktree's file .git too", async () => {
  const directory = temporaryDirectory();
  const source = join(directory, "build");
  mkdirSync(join(source, "src"), { recursive: true });
  writeFileSync(join(source, "src", "a.c"), "");
  const before = hashDirectory(source);
  writeFileSync(join(source, ".git"), "gitdir: elsewhere");
  for (const name of ["build", "out", "src/build"]) {
    mkdirSync(join(source, name));
    writeFileSync(join(source, name, "b.c"), "");
  }
  assert.equal(hashDirectory(source), before);
  const copy = await unpack(source, join(directory, "copy"), {});
  assert.deepEqual(readdirSync(copy, { recursive: true }).sort(), ["src", join("src", "a.c")]);
});
