import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { overLimit } from "../../scripts/npm/limits.ts";
import { releaseChangelog, releaseNotes } from "../../scripts/release/changelog.ts";
import { BUMPED_FILES, bumpVersion, nextVersion } from "../../scripts/release/version.ts";
import { VERSION } from "../../lib/version.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { ROOT, runChild, runtimeCommand } from "../support/runtime.ts";

const DATE = "2031-02-03";

const CHANGELOG = `# Changelog

What changed.

## [Unreleased]

### Fixed

- A thing.

## 0.1.0 - 2026-01-01

### Added

- All of it.
`;

function git(root: string, ...args: string[]): string {
  const identity = ["-c", "user.name=Test", "-c", "user.email=test@example.invalid"];
  return execFileSync("git", [...identity, ...args], { cwd: root, encoding: "utf8" });
}

/** A repository with this one's versioned files, and a changelog of its own. */
function repository(changelog: string = CHANGELOG): string {
  const root = temporaryDirectory();
  for (const path of BUMPED_FILES) {
    mkdirSync(join(root, dirname(path)), { recursive: true });
    copyFileSync(join(ROOT, path), join(root, path));
  }
  writeFileSync(join(root, "CHANGELOG.md"), changelog);
  git(root, "init", "--quiet");
  git(root, "add", "--all");
  git(root, "commit", "--quiet", "--message", "all");
  return root;
}

const read = (root: string, path: string): string => readFileSync(join(root, path), "utf8");

test("the next version is counted, or named and not lower", () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ["1.2.3", "patch", "1.2.4"],
    ["1.2.3", "minor", "1.3.0"],
    ["1.2.3", "major", "2.0.0"],
    ["1.2.3", "1.2.3", "1.2.3"],
    ["1.2.3", "1.10.0", "1.10.0"],
    ["1.9.9", "10.0.0", "10.0.0"],
  ];
  for (const [current, asked, expected] of cases) {
    assert.equal(nextVersion(current, asked), expected);
  }
  for (const asked of ["", "1.2", "v1.3.0", "1.2.3-rc.1", "Patch", "1.2.3.4"]) {
    assert.throws(() => nextVersion("1.2.3", asked), /must be patch, minor, major or x\.y\.z; got/);
  }
  for (const asked of ["1.2.2", "1.1.9", "0.9.9"]) {
    assert.throws(() => nextVersion("1.2.3", asked), /must be above 1\.2\.3; got/);
  }
});

test("one command changes every file that has the version, and nothing else in them", () => {
  const root = repository();
  const next = nextVersion(VERSION, "minor");
  assert.equal(bumpVersion(root, "minor", DATE), next);
  assert.deepEqual(
    git(root, "diff", "--name-only").trim().split("\n").sort(),
    [...BUMPED_FILES].sort(),
  );
  for (const path of ["package.json", "packages/build/package.json", "deno.json"]) {
    assert.equal(JSON.parse(read(root, path)).version, next);
  }
  const lock = JSON.parse(read(root, "package-lock.json"));
  const versions = [lock, lock.packages[""], lock.packages["packages/build"]];
  assert.deepEqual(versions.map(({ version }) => version), [next, next, next]);
  assert.match(
    read(root, "lib/version.ts"),
    new RegExp(`^export const VERSION = "${next}";$`, "m"),
  );
  // Some dependency may have the same version: it keeps it.
  const changes = git(root, "diff", "--numstat").trim().split("\n").map((line) => line.split("\t"));
  const counts = Object.fromEntries(
    changes.map(([added, removed, path]) => [path, [added, removed]]),
  );
  assert.deepEqual(counts["package-lock.json"], ["3", "3"]);
  for (const path of ["package.json", "deno.json", "lib/version.ts"]) {
    assert.deepEqual(counts[path], ["1", "1"]);
  }
});

test("the changelog's unreleased part goes under the version, and an empty one stays", () => {
  assert.equal(
    releaseChangelog(CHANGELOG, "0.1.1", DATE),
    `# Changelog

What changed.

## [Unreleased]

## 0.1.1 - ${DATE}

### Fixed

- A thing.

## 0.1.0 - 2026-01-01

### Added

- All of it.
`,
  );
  const prepared = CHANGELOG.replace("2026-01-01", "not released yet");
  const first = releaseChangelog(prepared, "0.1.0", DATE);
  assert.equal(
    first.slice(first.indexOf("## [Unre")),
    `## [Unreleased]\n\n## 0.1.0 - ${DATE}\n\n### Fixed\n\n- A thing.\n\n### Added\n\n- All of it.\n`,
  );
});

test("nothing is written when the tree has changes, the changelog none, or the version is there", () => {
  const dirty = repository();
  writeFileSync(join(dirty, "new.txt"), "");
  assert.throws(() => bumpVersion(dirty, "patch", DATE), /commit or stash .*\n\?\? new\.txt/s);
  const empty = repository(CHANGELOG.replace("### Fixed\n\n- A thing.\n\n", ""));
  assert.throws(() => bumpVersion(empty, "patch", DATE), /lists no change since the last one/);
  const unknown = repository("# Changelog\n");
  assert.throws(() => bumpVersion(unknown, "patch", DATE), /has no section "## \[Unreleased\]"/);
  const again = repository(CHANGELOG.replace("0.1.0", VERSION));
  assert.throws(() => bumpVersion(again, VERSION, DATE), /CHANGELOG\.md has it already/);
  for (const root of [empty, unknown, again]) assert.equal(git(root, "status", "--porcelain"), "");
  const odd = repository();
  writeFileSync(join(odd, "lib/version.ts"), 'export const VERSION = "9.9.9";\n');
  git(odd, "commit", "--quiet", "--all", "--message", "odd");
  assert.throws(
    () => bumpVersion(odd, "patch", DATE),
    /lib\/version\.ts must have .* it has it in 0/,
  );
  assert.equal(git(odd, "status", "--porcelain"), "");
});

test("a version's notes are what is under its heading", () => {
  assert.equal(releaseNotes(CHANGELOG, "0.1.0"), "### Added\n\n- All of it.");
  for (const version of ["0.1", "1.0", "Unreleased-x", "9.9.9"]) {
    assert.throws(() => releaseNotes(CHANGELOG, version), /says nothing of version/);
  }
  assert.throws(() => releaseNotes("## 1.0.0 - 2026-01-01\n\n## 0.9.0\n", "1.0.0"), /says nothing/);
});

test("the commands say how they are used, and what to do next", async () => {
  const script = (name: string, ...args: string[]) =>
    runChild(runtimeCommand(join(ROOT, "scripts", name), ...args));
  const none = await script("bump-version.ts");
  assert.deepEqual([none.status, none.stdout], [1, ""]);
  assert.match(none.stderr, /missing required argument 'version'/);
  const notes = await script("release-notes.ts", "--tag", `v${VERSION}`);
  assert.equal(notes.status, 0, notes.stderr);
  assert.equal(notes.stdout.trim(), releaseNotes(read(ROOT, "CHANGELOG.md"), VERSION));
  const wrong = await script("release-notes.ts", "--tag", "v99.0.0");
  assert.deepEqual([wrong.status, wrong.stdout], [1, ""]);
  assert.match(wrong.stderr, new RegExp(`the tag must be v${VERSION}; got "v99\\.0\\.0"`));
});

test("a package that takes longer than it may to import or open is named, the quicker clock counts", () => {
  const times = (clock: number, cpu: number) => {
    const both = { import: { clock, cpu }, open: { clock: 1, cpu: 1 } };
    return { offheap: { least: both, median: both }, floor: { least: both, median: both } };
  };
  assert.deepEqual(overLimit("npm", times(29, 90), 1), []);
  assert.deepEqual(overLimit("npm", times(90, 29), 1), []);
  assert.deepEqual(overLimit("npm", times(40, 50), 2), []);
  assert.deepEqual(overLimit("npm", times(50, 40), 1), [
    "npm: import takes 40.0 ms at least, the limit is 30",
  ]);
});
