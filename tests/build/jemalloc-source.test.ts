import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { runAutoconf } from "../../packages/build/recipe/autoconf.ts";
import { DebianSources } from "../../packages/build/store/debian.ts";
import { DownloadError } from "../../packages/build/store/download.ts";
import { completeJemalloc } from "../../packages/build/recipe/jemalloc-source.ts";
import type { Source, SourceContext } from "../../packages/build/types.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { THOROUGH } from "../support/effort.ts";
import { pathWith } from "../support/fake-allocator.ts";
import { skipUnless } from "../support/skip.ts";

// What a group may write to is not taken from the cache.
process.umask(0o022);

const onLinux = skipUnless(process.platform === "linux", "the build script builds for Linux");
const COMMIT = "81034ce1f1373e37dc865038e1bc8eeecf559ce8";

/** A directory of programs of which autoconf writes what it was given to a file. */
function pathWithAutoconf(): string {
  const path = pathWith(["sh", "cat"]);
  writeFileSync(join(path, "autoconf"), "#!/bin/sh\ncat configure.ac > configure\n", {
    mode: 0o755,
  });
  return path;
}

function contextWith(path: string): SourceContext {
  const cache = temporaryDirectory();
  return {
    cache,
    sources: join(cache, "sources"),
    temporary: temporaryDirectory(),
    upstream: undefined,
    environment: { PATH: path },
    debian: null,
  };
}

/** A source as a tag's tree has it. */
function tree(files: Readonly<Record<string, string>> = {}): string {
  const directory = temporaryDirectory();
  const all = {
    "configure.ac": "AC_INIT\n",
    "ChangeLog": "News\n\n* 5.3.1 (Apr 13)\n\n* 5.3.0 (May)\n",
  };
  for (const [name, text] of Object.entries({ ...all, ...files })) {
    writeFileSync(join(directory, name), text);
  }
  return directory;
}

function pinned(path: string): Source {
  return {
    version: "5.3.1",
    commit: COMMIT,
    origin: "debian",
    name: "jemalloc.tar.gz",
    sha256: "0".repeat(64),
    path,
    identity: "0".repeat(64),
    reason: "from Debian",
  };
}

function given(path: string): Source {
  return { ...pinned(path), version: "", commit: undefined, origin: "option", reason: "from here" };
}

const read = (source: Source, name: string): string =>
  readFileSync(join(source.path, name), "utf8");

test(
  "a tag's tree gets the version of its pin and a configure, and stays as it was",
  onLinux,
  async () => {
    const original = tree();
    const where = contextWith(pathWithAutoconf());
    const source = await completeJemalloc(pinned(original), where);
    assert.equal(read(source, "VERSION"), `5.3.1-0-g${COMMIT}\n`);
    assert.equal(read(source, "configure"), "AC_INIT\n");
    assert.equal(source.reason, "from Debian (configure: the autoconf on the path)");
    assert.deepEqual(readdirSync(original).sort(), ["ChangeLog", "configure.ac"]);
  },
);

test("a pinned source's configure is made once, and needs no autoconf later", onLinux, async () => {
  const where = contextWith(pathWithAutoconf());
  await completeJemalloc(pinned(tree()), where);
  assert.deepEqual(readdirSync(where.sources), ["jemalloc.tar.gz.configure"]);
  const later = { ...where, environment: { PATH: pathWith([]) } };
  const source = await completeJemalloc(pinned(tree()), later);
  assert.equal(read(source, "configure"), "AC_INIT\n");
  assert.equal(statSync(join(source.path, "configure")).mode & 0o777, 0o755);
  assert.match(source.reason, /made before, from the cache/);
});

test("a release's archive is left as it is", onLinux, async () => {
  const release = tree({ configure: "as released\n", VERSION: "5.3.1-0-g1\n" });
  const source = await completeJemalloc(pinned(release), contextWith(pathWith([])));
  assert.deepEqual([read(source, "configure"), read(source, "VERSION")], [
    "as released\n",
    "5.3.1-0-g1\n",
  ]);
  assert.equal(source.reason, "from Debian");
});

test(
  "a directory of the caller's has the version of its change log, and its commit is not made up",
  onLinux,
  async () => {
    const where = contextWith(pathWithAutoconf());
    const source = await completeJemalloc(given(tree()), where);
    assert.equal(read(source, "VERSION"), `5.3.1-0-g${"0".repeat(40)}\n`);
    assert.equal(read(source, "configure"), "AC_INIT\n");
    const own = await completeJemalloc(given(tree({ VERSION: "5.4.0-7-gabc\n" })), where);
    assert.equal(read(own, "VERSION"), "5.4.0-7-gabc\n");
    assert.ok(!existsSync(where.sources));
  },
);

test(
  "without autoconf a pin is not to be had, and a directory of the caller's is refused with what to do",
  onLinux,
  async () => {
    const where = contextWith(pathWith([]));
    await assert.rejects(completeJemalloc(pinned(tree()), where), (error) => {
      assert.ok(error instanceof DownloadError);
      assert.match(
        error.message,
        /no configure, .* no autoconf on the path, .* left out, as asked/,
      );
      return true;
    });
    await assert.rejects(completeJemalloc(given(tree()), where), {
      name: "BuildError",
      message: /^Cannot build jemalloc from here: it has no configure, .*Run "autoconf" there, or/,
    });
  },
);

/** The programs of this system as a whole `PATH`, without these. */
function pathWithout(names: readonly string[]): string {
  const directory = temporaryDirectory();
  const directories = (process.env["PATH"] ?? "").split(":").filter((path) => existsSync(path));
  for (const path of directories) {
    for (const name of readdirSync(path)) {
      const link = join(directory, name);
      if (!names.includes(name) && !existsSync(link)) symlinkSync(join(path, name), link);
    }
  }
  return directory;
}

/** How Debian's autoconf made a directory's configure; or why it is not to be had. */
async function madeByDebian(directory: string): Promise<string | DownloadError> {
  const temporary = temporaryDirectory();
  mkdirSync(join(temporary, "apt"));
  const environment = { PATH: pathWithout(["autoconf", "autom4te", "m4", "perl"]), LC_ALL: "C" };
  const debian = new DebianSources(join(temporary, "apt"), environment);
  try {
    const how = await runAutoconf(directory, { temporary, environment, debian });
    assert.deepEqual(readdirSync(temporary), ["apt"]);
    return how;
  } catch (error) {
    if (error instanceof DownloadError) return error;
    throw error;
  }
}

test(
  "autoconf out of Debian's packages is unpacked, runs and is gone",
  skipUnless(
    THOROUGH && onLinux.reason === null,
    "it fetches packages; each night tries it on Linux",
  ),
  async (context) => {
    const directory = tree({
      "configure.ac": "AC_INIT([example], [1.2])\nAC_PROG_CC\nAC_OUTPUT\n",
    });
    const how = await madeByDebian(directory);
    if (how instanceof DownloadError) {
      // Seen in every runtime, as tests/support/skip.ts does.
      console.log(`# skip: ${how.message}`);
      return context.skip(how.message);
    }
    assert.equal(how, "autoconf out of Debian's packages");
    const configure = readFileSync(join(directory, "configure"), "utf8");
    assert.match(configure, /Generated by GNU Autoconf .* for example 1\.2/);
  },
);
