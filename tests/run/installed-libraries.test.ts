// Allocators that the system has installed, where offheap finds its own library in the cache and no
// allocator of its own.
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { basename, join } from "node:path";
import process from "node:process";
import { before, test } from "node:test";
import { ffi } from "../../ffi/mod.ts";
import { hostTarget } from "../../lib/library/target.ts";
import { debianFile } from "../../tools/packages/debian.ts";
import { copyCheckout } from "../support/checkout.ts";
import { onceInBun } from "../support/effort.ts";
import { IS_MUSL } from "../support/libc.ts";
import {
  builtLibrary,
  type ChildResult,
  ROOT,
  runChild,
  runtimeCommand,
} from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

// What a group may write to is not taken from the cache.
process.umask(0o022);

/** Debian's packages, and the names by which a system has their libraries. */
const INSTALLED = {
  jemalloc: ["libjemalloc2", "libjemalloc.so.2"],
  mimalloc: ["libmimalloc2.0", "libmimalloc.so.2"],
  tcmalloc: ["libtcmalloc-minimal4", "libtcmalloc_minimal.so.4"],
} as const;

const copy = copyCheckout();
const cache = join(copy, "cache");
const koffi = join(copy, "node_modules", "koffi");

before(() => {
  const native = join(cache, "offheap", "native", hostTarget().name, "release");
  for (const path of [native, join(copy, "usr", "local", "lib"), join(copy, "node_modules")]) {
    mkdirSync(path, { recursive: true });
  }
  const shim = builtLibrary("offheap");
  for (const file of [shim, `${shim}.json`]) copyFileSync(file, join(native, basename(file)));
  symlinkSync(join(ROOT, "node_modules", "koffi"), koffi);
});

function run(args: string[], variables: Record<string, string> = {}): Promise<ChildResult> {
  const command = runtimeCommand(join(copy, "lib", "cli.ts"), "run", "-a", ...args);
  return runChild(command, { variables: { XDG_CACHE_HOME: cache, ...variables } });
}

for (const [allocator, [name, file]] of Object.entries(INSTALLED)) {
  const found = IS_MUSL
    ? { missing: "Debian's libraries are made for glibc" }
    : debianFile(name, `/${file}`);
  test(
    `the ${allocator} that the system has installed is found, proven, and named where it stands in for offheap's`,
    onceInBun(
      "what is found is alike",
      skipUnless("path" in found, "missing" in found ? found.missing : ""),
    ),
    async () => {
      const path = join(copy, "usr", "local", "lib", file);
      if ("path" in found) copyFileSync(found.path, path);
      const { status, stdout, stderr } = await run([
        allocator,
        "--",
        "sh",
        "-c",
        'grep -o "/[^ ]*\\.so\\.[0-9]*$" /proc/$$/maps',
      ]);
      assert.equal(status, 0, stderr);
      assert.ok(stdout.includes(`${path}\n`), stdout);
      const note =
        `offheap: this system's own ${allocator} is used, "${path}": offheap's was not found, `;
      assert.equal(stderr.startsWith(note), allocator !== "tcmalloc", stderr);
      if (allocator === "tcmalloc") assert.equal(stderr, "");
    },
  );
}

test(
  "without koffi a Node that needs it says so, and not that the library is at fault",
  skipUnless(ffi().backend === "koffi", "only Node without node:ffi uses koffi"),
  async () => {
    rmSync(koffi);
    const library = join(copy, "libmimalloc.so"); // without the manifest, which has its version
    copyFileSync(builtLibrary("mimalloc", "preload"), library);
    const { status, stderr } = await run(["mimalloc", "--", "true"], { OFFHEAP_LIBRARY: library });
    assert.equal(status, 125, stderr);
    assert.match(
      stderr,
      /^offheap: Cannot use native libraries in Node .* "koffi" could not be loaded/,
    );
  },
);
