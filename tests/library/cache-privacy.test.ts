import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { runtimeInfo } from "../../ffi/mod.ts";
import { preloadName } from "../../lib/run/preload-path.ts";
import { cacheExposure, fileExposure } from "../../lib/library/ownership.ts";
import { buildNative } from "../../packages/build/mod.ts";
import { pinsFor } from "../../packages/build/plan/pins.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { THOROUGH } from "../support/effort.ts";
import { compilerWithShim, fakeMimalloc } from "../support/fake-allocator.ts";
import { fileOf, fill, makeRelease, type Release } from "../support/release.ts";
import { childEnvironment, FIXTURES, ROOT, runChild, runtimeCommand } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

// What a group may write to is not taken from the cache.
process.umask(0o022);

/** The command `offheap-build`. */
const BUILD = join(ROOT, "packages", "build", "main.ts");

const withModes = () => skipUnless(process.platform !== "win32", "Windows has no modes");
const asRoot = () => skipUnless(process.getuid?.() === 0, "giving a file away needs root");
const inDeno = () => skipUnless(runtimeInfo().name === "deno", "only Deno has these permissions");

/** Some user that is neither this one nor root. */
const SOMEBODY = 12_345;

function modeOf(path: string): string {
  return (statSync(path).mode & 0o7777).toString(8);
}

/** What is said of jemalloc's library in the cache; `null` when it may be loaded. */
function said({ use }: Release): Promise<string | null | undefined> {
  return use(({ verifyIntegrity }) =>
    verifyIntegrity().libraries.find(({ name }) => name === "jemalloc")?.refusal
  );
}

let made: Release | undefined;

/** A copy with a cache, the same for all tests; each leaves what others may write to as it was. */
function withCache(): Release {
  return made ??= makeRelease({ cached: true });
}

/** The cache's directories, from the cache down to the libraries, and the one above. */
function directoriesOf({ cache, cacheDirectory }: Release): { above: string; inside: string[] } {
  const inside = [cacheDirectory];
  while (inside[0] !== undefined && inside[0] !== cache) inside.unshift(dirname(inside[0]));
  return { above: dirname(cache), inside };
}

test(
  "offheap-build makes the cache's directories for its user alone, whatever the umask",
  withModes(),
  async () => {
    // The directory above is there: Deno and Bun would make it, with the umask, for themselves.
    const cacheHome = temporaryDirectory();
    const cache = join(cacheHome, "offheap");
    const which = ["--allocator", "mimalloc", "--variant", "release"];
    const build = runtimeCommand(BUILD, ...which, "--source", fakeMimalloc());
    const command = ["sh", "-c", 'umask 0; exec "$@"', "sh", ...build] as const;
    const variables = {
      XDG_CACHE_HOME: cacheHome,
      ...(THOROUGH ? {} : { CC: compilerWithShim() }),
    };
    const { status, stdout, stderr } = await runChild([...command], { variables });
    assert.equal(status, 0, stdout + stderr);
    const made = readdirSync(cache, { recursive: true }).map((name) => join(cache, String(name)));
    const directories = [cache, ...made.filter((path) => statSync(path).isDirectory())];
    assert.ok(directories.some((path) => path.endsWith("release")), String(directories));
    for (const path of directories) assert.equal(modeOf(path), "700", path);
    const files = made.filter((path) => /libmimalloc|liboffheap/.test(path));
    assert.equal(files.length, 4);
    for (const path of files) assert.equal(modeOf(path), path.endsWith(".json") ? "644" : "755");
  },
);

test(
  "a library in a directory of the cache that others may write to is refused, at each level",
  withModes(),
  async () => {
    const release = withCache();
    const { above, inside } = directoriesOf(release);
    assert.equal(inside.length, 4);
    assert.equal(await said(release), null);
    const path = join(release.cacheDirectory, fileOf("jemalloc"));
    for (const directory of inside) {
      for (const mode of [0o777, 0o720, 0o702]) {
        chmodSync(directory, mode);
        assert.equal(
          await said(release),
          `Cannot load "${path}": users other than its owner may write to "${directory}" (mode ` +
            `0${
              mode.toString(8)
            }). If nobody else has written there, repair it: chmod go-w "${directory}". Otherwise ` +
            "remove it and build again.",
        );
      }
      // In a sticky directory nobody removes or renames what belongs to another.
      for (const mode of [0o755, 0o1777, 0o700]) {
        chmodSync(directory, mode);
        assert.equal(await said(release), null, `${directory} ${mode.toString(8)}`);
      }
    }
    chmodSync(above, 0o777);
    assert.match(String(await said(release)), /users other than its owner .* \(mode 0777\)/);
    for (const mode of [0o775, 0o1777, 0o755]) {
      chmodSync(above, mode);
      assert.equal(await said(release), null);
    }
  },
);

test(
  "what others may write to is refused by openAllocator, verifyAllocator and run, and never passed over",
  withModes(),
  async () => {
    const release = withCache();
    chmodSync(release.cacheDirectory, 0o777);
    const sentence = /^Cannot load ".*": users other than its owner may write to ".*chmod go-w "/;
    await release.use(({ openAllocator, verifyAllocator }) => {
      assert.throws(() => openAllocator(), { name: "LibraryLoadError", message: sentence });
      const { memoryAllocatorVerified, evidence } = verifyAllocator();
      assert.equal(memoryAllocatorVerified, false);
      assert.match(String(evidence[0]?.detail), sentence);
    });
    const { status, stdout, stderr } = await release.offheap("run", "--", "echo", "started");
    assert.deepEqual([status, stdout], [125, ""]);
    assert.match(stderr.replace("offheap: ", ""), sentence);
    chmodSync(release.cacheDirectory, 0o700);
  },
);

test("a file of the cache that others may write to is refused", withModes(), async () => {
  const release = withCache();
  const library = join(release.cacheDirectory, fileOf("jemalloc"));
  for (const path of [library, `${library}.json`]) {
    for (const mode of [0o666, 0o775, 0o646]) {
      chmodSync(path, mode);
      assert.ok(
        (await said(release))?.includes(
          `users other than its owner may write to "${path}" (mode 0`,
        ),
        `${path} ${mode.toString(8)}`,
      );
    }
    chmodSync(path, 0o644);
    assert.equal(await said(release), null);
  }
});

test(
  "what belongs to another user is refused: directories, files and links",
  asRoot(),
  async () => {
    const release = withCache();
    const { above, inside } = directoriesOf(release);
    const library = join(release.cacheDirectory, fileOf("jemalloc"));
    for (const path of [above, ...inside, library, `${library}.json`]) {
      chownSync(path, SOMEBODY, SOMEBODY);
      assert.equal(
        await said(release),
        `Cannot load "${library}": "${path}" belongs to user ${SOMEBODY}, and this process has the ` +
          "rights of user 0. Run it as that user, or name a cache of its own with XDG_CACHE_HOME, " +
          'or with HOME (as "sudo -H" does).',
      );
      chownSync(path, 0, 0);
      assert.equal(await said(release), null);
    }
    const aboveElsewhere = realpathSync(temporaryDirectory());
    const elsewhere = join(aboveElsewhere, "elsewhere");
    mkdirSync(elsewhere);
    const moved = join(elsewhere, "moved.so");
    renameSync(library, moved);
    symlinkSync(moved, library);
    assert.equal(await said(release), null, "a link of one's own is followed");
    lchownSync(library, SOMEBODY, SOMEBODY);
    assert.match(
      String(await said(release)),
      new RegExp(`"${library}" belongs to user ${SOMEBODY}`),
    );
    lchownSync(library, 0, 0);
    for (const directory of [aboveElsewhere, elsewhere]) {
      chmodSync(directory, 0o777);
      assert.ok(
        String(await said(release)).includes(
          `users other than its owner may write to "${directory}" (mode 0777)`,
        ),
      );
      chmodSync(directory, 0o755);
    }
  },
);

test(
  "a directory further above the cache that others may write to is a refusal, unless it is sticky",
  withModes(),
  () => {
    const top = temporaryDirectory();
    const cache = join(top, "a", "b", "c", "offheap");
    mkdirSync(cache, { recursive: true });
    for (const directory of [top, join(top, "a"), join(top, "a", "b")]) {
      for (const [mode, exposed] of [[0o777, true], [0o1777, false], [0o775, false]] as const) {
        chmodSync(directory, mode);
        const expected = exposed
          ? {
            why: `users other than its owner may write to "${directory}" (mode 0777)`,
            remedy:
              "Have its owner or mode repaired, or set XDG_CACHE_HOME to a directory elsewhere.",
          }
          : null;
        assert.deepEqual(cacheExposure(cache, cache), expected);
      }
      chmodSync(directory, 0o755);
    }
  },
);

test("a directory further above the cache that is another user's is a refusal", asRoot(), () => {
  const top = temporaryDirectory();
  const cache = join(top, "a", "b", "offheap");
  mkdirSync(cache, { recursive: true });
  for (const directory of [top, join(top, "a")]) {
    chownSync(directory, SOMEBODY, SOMEBODY);
    assert.match(
      String(cacheExposure(cache, cache)?.why),
      new RegExp(`^"${directory}" belongs to user ${SOMEBODY}, `),
    );
    chownSync(directory, 0, 0);
    assert.equal(cacheExposure(cache, cache), null);
  }
});

test("a user who is not root loads from their own cache, and from one of root's", asRoot(), () => {
  const cache = join(temporaryDirectory(), "offheap");
  const directory = join(cache, "native");
  mkdirSync(directory, { recursive: true });
  const effective = process.geteuid;
  const owners: readonly (readonly [owner: number, user: number, exposed: boolean])[] = [
    [SOMEBODY, SOMEBODY, false],
    [0, SOMEBODY, false],
    [SOMEBODY + 1, SOMEBODY, true],
    [SOMEBODY, 0, true],
  ];
  try {
    for (const [owner, user, exposed] of owners) {
      chownSync(cache, owner, owner);
      Object.defineProperty(process, "geteuid", { value: () => user, configurable: true });
      // The directory above is root's.
      assert.equal(cacheExposure(cache, directory) !== null, exposed, `${owner} ${user}`);
    }
  } finally {
    Object.defineProperty(process, "geteuid", { value: effective, configurable: true });
  }
});

/** A user of a namespace in which nobody is root: what is root's shows another number. */
const ROOTLESS: readonly [string, ...string[]] = [
  ...(process.getuid?.() === 0
    ? ["setpriv", `--reuid=${SOMEBODY}`, `--regid=${SOMEBODY}`, "--clear-groups"] as const
    : ["env"] as const),
  ...["unshare", "--user", "--map-user=1000"],
];
const EXPOSURE = runtimeCommand(join(FIXTURES, "cache-exposure.ts"));
const hasRootless = () => {
  const [file, ...args] = [...ROOTLESS, ...EXPOSURE, "/"] as const;
  const { status } = spawnSync(file, args, { env: childEnvironment({ DENO_DIR: "/nonexistent" }) });
  return skipUnless(
    status === 0,
    "no user namespace can be made here, or others may not read the checkout",
  );
};

test(
  "in a user namespace without root, root's directories above the cache are root's",
  hasRootless(),
  async () => {
    // Below /tmp, which is root's.
    const above = temporaryDirectory();
    const cache = join(above, "offheap");
    const exposure = async () => {
      const variables = { DENO_DIR: "/nonexistent" };
      const { stdout, stderr } = await runChild([...ROOTLESS, ...EXPOSURE, cache], { variables });
      assert.notEqual(stdout, "", stderr);
      return JSON.parse(stdout);
    };
    if (process.getuid?.() === 0) {
      assert.match((await exposure()).why, /belongs to user 65534, .* the rights of user 1000$/);
      chownSync(above, SOMEBODY, SOMEBODY);
    }
    assert.equal(await exposure(), null);
  },
);

test(
  "a build refuses a cache that others may write to before it looks at anything in it",
  withModes(),
  async () => {
    const cacheDirectory = join(temporaryDirectory(), "offheap");
    const outDirectory = join(cacheDirectory, "native", "x", "release");
    mkdirSync(outDirectory, { recursive: true, mode: 0o700 });
    const which = { allocator: "mimalloc", variant: "release", debian: false } as const;
    const options = { ...which, cacheDirectory, outDirectory };
    const source = fakeMimalloc();
    const upstream = "file:///nonexistent";
    for (const exposed of [outDirectory, dirname(outDirectory), cacheDirectory]) {
      chmodSync(exposed, 0o770);
      await assert.rejects(buildNative({ ...options, source }), {
        name: "BuildError",
        message:
          `Cannot use the cache "${cacheDirectory}": users other than its owner may write to ` +
          `"${exposed}" (mode 0770). If nobody else has written there, repair it: chmod go-w "${exposed}". Otherwise ` +
          "remove it and build again.",
      });
      chmodSync(exposed, 0o700);
      assert.deepEqual(readdirSync(outDirectory), []);
    }
    // An archive there is not even looked at, its pinned hash notwithstanding.
    const sources = join(cacheDirectory, "sources");
    mkdirSync(sources, { mode: 0o700 });
    const archive = join(sources, pinsFor("mimalloc", undefined)[0]?.upstream?.file ?? "");
    writeFileSync(archive, "something else");
    chmodSync(sources, 0o777);
    const out = join(temporaryDirectory(), "out");
    await assert.rejects(
      buildNative({ ...options, outDirectory: out, upstream }),
      /Cannot use the cache .*: users other than its owner may write to ".*sources" \(mode 0777\)/,
    );
    assert.ok(existsSync(archive), "it was looked at, and removed for its hash");
  },
);

test("a build does not take what is in such a cache to be up to date", withModes(), async () => {
  const cacheDirectory = join(temporaryDirectory(), "offheap");
  const outDirectory = join(cacheDirectory, "native", "x", "release");
  fill(outDirectory);
  const which = { allocator: "mimalloc", variant: "release", debian: false } as const;
  const options = { ...which, cacheDirectory, outDirectory };
  const results = await buildNative(options);
  assert.deepEqual(results.map(({ outcome }) => outcome), ["current", "current"]);
  chmodSync(outDirectory, 0o777);
  await assert.rejects(buildNative(options), /^BuildError: Cannot use the cache .* \(mode 0777\)/);
});

test("a build does not begin a cache in a directory of another user", asRoot(), async () => {
  const home = temporaryDirectory();
  const above = join(home, ".cache");
  mkdirSync(above);
  chownSync(above, SOMEBODY, SOMEBODY);
  const variables = { XDG_CACHE_HOME: undefined, HOME: home };
  const command = runtimeCommand(BUILD, "--allocator", "mimalloc", "--source", fakeMimalloc());
  const { status, stderr } = await runChild(command, { variables });
  assert.equal(status, 1);
  assert.match(stderr, /^error: Cannot use the cache ".*": ".*\.cache" belongs to user 12345/);
  assert.ok(!existsSync(join(above, "offheap")));
});

test(
  "a link for the preload variable is not made in a cache that others may write to",
  withModes(),
  () => {
    const cacheHome = temporaryDirectory();
    const before = process.env["XDG_CACHE_HOME"];
    process.env["XDG_CACHE_HOME"] = cacheHome;
    try {
      preloadName("/a b/libx.so");
      chmodSync(join(cacheHome, "offheap"), 0o777);
      assert.throws(() => preloadName("/a b/libx.so"), {
        name: "LaunchError",
        message:
          /^Cannot preload by way of ".*links": users other than its owner .* chmod go-w ".*heap"/,
      });
    } finally {
      if (before === undefined) delete process.env["XDG_CACHE_HOME"];
      else process.env["XDG_CACHE_HOME"] = before;
    }
  },
);

test("on Windows nothing is looked at: there are access lists, and no modes", withModes(), () => {
  const directory = join(temporaryDirectory(), "offheap");
  mkdirSync(directory);
  const file = join(directory, "file");
  writeFileSync(file, "");
  for (const path of [directory, file]) chmodSync(path, 0o777);
  assert.notEqual(cacheExposure(directory, directory), null);
  const { platform } = process;
  Object.defineProperty(process, "platform", { value: "win32", configurable: true });
  try {
    assert.equal(cacheExposure(directory, directory), null);
    assert.equal(fileExposure(file), null);
  } finally {
    Object.defineProperty(process, "platform", { value: platform, configurable: true });
  }
});

test(
  "Deno has to be allowed to look up its user before a library of the cache is loaded",
  inDeno(),
  async () => {
    const release = makeRelease({ cached: true });
    const script = join(release.root, "open.ts");
    writeFileSync(
      script,
      'import { openAllocator } from "./mod.ts"; openAllocator().close(); console.log("open");',
    );
    const flags = ["--no-prompt", "--no-check", "--quiet", "--allow-ffi", "--allow-read"];
    const variables = { XDG_CACHE_HOME: dirname(release.cache) };
    const run = (...more: string[]) =>
      runChild([process.execPath, "run", ...flags, "--allow-env", ...more, script], { variables });
    const without = await run();
    assert.match(
      without.stderr,
      /PermissionError: Cannot determine whether the cache is this user's own: .* with --allow-sys=uid\./,
    );
    const allowed = await run("--allow-sys=uid");
    assert.equal(allowed.stdout, "open\n", allowed.stderr);
  },
);
