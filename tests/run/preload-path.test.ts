import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { appendPreload } from "../../lib/run/plan.ts";
import { launchPlatform } from "../../lib/run/platforms.ts";
import { needsLink, preloadName } from "../../lib/run/preload-path.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { skipUnless } from "../support/skip.ts";

// What a group may write to is not taken from the cache.
process.umask(0o022);

const asRoot = () => skipUnless(process.getuid?.() === 0, "giving a directory away needs root");

/** Runs with these directories in the environment. */
function within<R>(variables: Readonly<Record<string, string>>, use: () => R): R {
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, variables);
  try {
    return use();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

function link(path: string, cache: string, temporary = "/nonexistent"): string {
  return within({ XDG_CACHE_HOME: cache, TMPDIR: temporary }, () => preloadName(path));
}

test("a path that the preload variable can hold is taken as it is", () => {
  for (const path of ["/a/b.so", "/ü/x,y;z'\"%.so", "libx.so"]) {
    assert.equal(link(path, "/nonexistent"), path);
  }
});

test("a path with a separator, or that would be expanded, gets a private link to it", () => {
  for (const separator of [" ", ":", "\t", "\n", "\u00a0", "$LIB", "${ORIGIN}"]) {
    const cache = temporaryDirectory();
    const path = `/lib${separator}raries/lib$x${separator}y.so`;
    const name = link(path, cache);
    assert.equal(dirname(name), join(cache, "offheap", "links"));
    assert.match(basename(name), /^[0-9a-f]{16}-lib_x\w+y\.so$/);
    assert.equal(needsLink(name), false);
    assert.equal(readlinkSync(name), path);
    assert.equal(lstatSync(dirname(name)).mode & 0o777, 0o700);
    assert.deepEqual(readdirSync(dirname(name)), [basename(name)]);
  }
});

test("two libraries of one name have two links, and one library has one", () => {
  const cache = temporaryDirectory();
  const paths = ["/a b/libx.so", "/c d/libx.so", "/a b/libx.so"];
  const [first, second, again] = paths.map((path) => link(path, cache));
  assert.notEqual(first, second);
  assert.equal(first, again);
  assert.equal(readdirSync(join(cache, "offheap", "links")).length, 2);
});

test("a link that leads elsewhere is replaced", () => {
  const cache = temporaryDirectory();
  const name = link("/a b/libx.so", cache);
  const other = join(cache, "other");
  symlinkSync("/somebody/elses.so", other);
  writeFileSync(join(cache, "script"), "");
  symlinkSync("/somebody/elses.so", `${name}.stale`);
  assert.equal(link("/a b/libx.so", cache), name);
  assert.equal(readlinkSync(name), "/a b/libx.so");
});

test("a cache whose own path has a separator gives way to the temporary directory", () => {
  const temporary = temporaryDirectory();
  const name = link("/a b/libx.so", "/cache with/spaces", temporary);
  assert.equal(dirname(name), join(temporary, `offheap-${process.getuid?.()}`));
  assert.equal(readlinkSync(name), "/a b/libx.so");
  assert.throws(() => link("/a b/libx.so", "/cache with/spaces", "/tmp:x"), {
    name: "LaunchError",
    status: 125,
    message:
      /^Cannot preload "\/a b\/libx\.so": LD_PRELOAD cannot hold a path with spaces, colons or dollar/,
  });
});

test("a relative directory is no place for links: it would be another one for each child", () => {
  const home = { HOME: "home" };
  assert.throws(() => within(home, () => link("/a b/libx.so", "cache", "tmp")), {
    name: "LaunchError",
    status: 125,
  });
  const temporary = temporaryDirectory();
  const name = within(home, () => link("/a b/libx.so", "cache", temporary));
  assert.equal(dirname(name), join(temporary, `offheap-${process.getuid?.()}`));
});

const REFUSAL = {
  name: "LaunchError",
  status: 125,
  message: /links": it must be a directory that belongs to this user and that no other may write/,
};

test("a directory of links that others may write to is refused", () => {
  for (const mode of [0o720, 0o702, 0o777]) {
    const cache = temporaryDirectory();
    link("/a b/libx.so", cache);
    chmodSync(join(cache, "offheap", "links"), mode);
    assert.throws(() => link("/a b/libx.so", cache), REFUSAL);
  }
});

test("a directory of links that is a link itself is refused", () => {
  const cache = temporaryDirectory();
  const elsewhere = temporaryDirectory();
  mkdirSync(join(cache, "offheap"));
  symlinkSync(elsewhere, join(cache, "offheap", "links"));
  assert.throws(() => link("/a b/libx.so", cache), REFUSAL);
  assert.deepEqual(readdirSync(elsewhere), []);
});

test("a directory of links that belongs to somebody else is refused", asRoot(), () => {
  const cache = temporaryDirectory();
  link("/a b/libx.so", cache);
  chownSync(join(cache, "offheap", "links"), 12_345, 12_345);
  assert.throws(() => link("/a b/libx.so", cache), REFUSAL);
});

test("a system without a way to preload says so, and which have one", () => {
  assert.equal(launchPlatform().preloadVariable, "LD_PRELOAD");
  assert.throws(() => launchPlatform(undefined, "sunos"), {
    name: "LaunchError",
    status: 125,
    message: "Cannot run a command under another allocator: offheap can preload on linux, " +
      'android, freebsd, darwin, not on "sunos".',
  });
});

test("what is appended to a preload comes last, once, and between single colons", () => {
  const cases: readonly [string | undefined, readonly string[], string][] = [
    [undefined, ["/a.so", "/b.so"], "/a.so:/b.so"],
    ["", ["/a.so"], "/a.so"],
    ["/x.so", ["/a.so"], "/x.so:/a.so"],
    [" /x.so  /y.so:", ["/a.so"], "/x.so:/y.so:/a.so"],
    ["::/x.so\t/y.so", ["/a.so"], "/x.so:/y.so:/a.so"],
    ["/a.so:/x.so", ["/a.so", "/b.so"], "/a.so:/x.so:/b.so"],
    ["/x.so", [], "/x.so"],
  ];
  for (const [existing, names, expected] of cases) {
    assert.equal(appendPreload(existing, names), expected, JSON.stringify(existing));
  }
});

test("a cache that is not there and cannot be made is a refusal, with what to do", () => {
  // A file of this user's own: root's are somebody else's in a user namespace.
  const file = join(temporaryDirectory(), "file");
  writeFileSync(file, "");
  for (const cache of [file, join(file, "below"), "/proc/none"]) {
    assert.throws(() => link("/a library.so", cache), {
      name: "LaunchError",
      message:
        /^Cannot preload by way of "\/.*\/offheap\/links": it cannot be used \(E[A-Z]+: .*\)\. Set XDG_CACHE_HOME to a directory of this user's own\.$/,
    });
  }
});
