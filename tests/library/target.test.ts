import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { runtimeInfo } from "../../ffi/mod.ts";
import {
  buildDirectory,
  cachedBuildDirectory,
  cacheDirectory,
  cachedSourcesDirectory,
  libraryFileName,
  manifestFileName,
} from "../../lib/library/directories.ts";
import { hostTarget, libcOfInterpreter, targetName } from "../../lib/library/target.ts";
import { type ChildResult, FIXTURES, runChild } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const inDeno = skipUnless(runtimeInfo().name === "deno", "Deno has a permission to read files");
const onLinux = skipUnless(process.platform === "linux", "only Linux has a choice of C libraries");

test("the C library of this process is the one that is mapped into it", onLinux, () => {
  const mapped = readFileSync("/proc/self/maps", "utf8");
  const { libc, name } = hostTarget();
  assert.equal(libc, /musl/.test(mapped) ? "musl" : "glibc");
  assert.equal(name, `linux-${process.arch}-${libc === "musl" ? "musl" : "gnu"}`);
});

test(
  "Deno's read permission is enough to determine the target, and is asked for by name",
  inDeno,
  async () => {
    // Within a shell's command: a Deno that starts a Deno passes its own permissions on.
    const script = join(FIXTURES, "print-target.ts");
    const run = (flags: string): Promise<ChildResult> =>
      runChild([
        "/bin/sh",
        "-c",
        `exec '${process.execPath}' run --no-prompt --no-check ${flags} '${script}'`,
      ]);
    const allowed = await run("--allow-read");
    assert.equal(allowed.stdout, `${hostTarget().name}\n`, allowed.stderr);
    const denied = await run("");
    assert.match(denied.stderr, /Cannot find .*Run the program with --allow-read/);
  },
);

test("a dynamic linker's name says which C library it is", () => {
  const cases = {
    "/lib64/ld-linux-x86-64.so.2": "glibc",
    "/lib/ld-linux-aarch64.so.1": "glibc",
    "/lib64/ld64.so.2": "glibc",
    "/nix/store/abc-glibc-2.40/lib/ld-linux-x86-64.so.2": "glibc",
    "/lib/ld-musl-x86_64.so.1": "musl",
    "libc.musl-x86_64.so.1": "musl",
    "/system/bin/linker64": null,
    "": null,
  };
  for (const [interpreter, libc] of Object.entries(cases)) {
    assert.equal(libcOfInterpreter(interpreter), libc, interpreter);
  }
});

test("a target's name has the C library on Linux only", () => {
  assert.equal(targetName("linux", "arm64", "musl"), "linux-arm64-musl");
  assert.equal(targetName("linux", "x64", "glibc"), "linux-x64-gnu");
  assert.equal(targetName("darwin", "arm64", null), "darwin-arm64");
});

test("a library's file is named as its platform names libraries", () => {
  assert.equal(libraryFileName("jemalloc", "linux"), "libjemalloc.so");
  assert.equal(libraryFileName("offheap", "freebsd"), "liboffheap.so");
  assert.equal(libraryFileName("mimalloc", "darwin"), "libmimalloc.dylib");
  assert.equal(libraryFileName("jemalloc", "win32"), "jemalloc.dll");
  assert.equal(manifestFileName("jemalloc", "linux"), "libjemalloc.so.json");
});

test("the user's cache is where each system keeps caches", () => {
  const cases: readonly (readonly [Record<string, string>, string, string | null])[] = [
    [{ HOME: "/home/a" }, "linux", "/home/a/.cache/offheap"],
    [{ HOME: "/home/a", XDG_CACHE_HOME: "/var/c" }, "linux", "/var/c/offheap"],
    [{ HOME: "/home/a", XDG_CACHE_HOME: "" }, "linux", "/home/a/.cache/offheap"],
    [{ HOME: "/home/a", XDG_CACHE_HOME: "relative" }, "linux", "/home/a/.cache/offheap"],
    [{ HOME: "/Users/a" }, "darwin", "/Users/a/Library/Caches/offheap"],
    [{ LOCALAPPDATA: "C:\\L" }, "win32", "C:\\L\\offheap\\cache"],
    [{ USERPROFILE: "C:\\U" }, "win32", "C:\\U\\AppData\\Local\\offheap\\cache"],
    [{}, "linux", null],
    [{ HOME: "/home/a" }, "win32", null],
  ];
  for (const [environment, platform, expected] of cases) {
    assert.equal(cacheDirectory(environment, platform), expected);
  }
});

test("builds and sources have their places below a root", () => {
  assert.equal(
    buildDirectory("/r", "linux-x64-gnu", "debug"),
    "/r/build/native/linux-x64-gnu/debug",
  );
  assert.equal(cachedSourcesDirectory("/c/offheap"), "/c/offheap/sources");
  assert.equal(
    cachedBuildDirectory("C:\\c", "win32-x64", "release"),
    "C:\\c\\native\\win32-x64\\release",
  );
});
