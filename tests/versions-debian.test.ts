import assert from "node:assert/strict";
import { realpathSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { debianFile } from "../scripts/foreign/debian.ts";
import { IS_MUSL } from "./support/libc.ts";
import { FIXTURES, offheapCommand, runChild, runtimeCommand } from "./support/runtime.ts";
import { skipUnless } from "./support/skip.ts";

/** What others built: versions that are not pinned here, or flags that are not ours. */
const LIBRARIES = [
  { allocator: "mimalloc", version: /^3\.6\.\d+$/, name: "libmimalloc3", suite: "forky" },
  {
    allocator: "mimalloc",
    version: /^3\.7\.\d+$/,
    name: "libmimalloc3",
    suite: "trixie-backports",
  },
  { allocator: "jemalloc", version: /^5\.3\.0$/, name: "libjemalloc2", suite: "bookworm" },
] as const;

/** What is set for them, and how they tell of it. */
const OPTIONS = {
  mimalloc: { MIMALLOC_PURGE_DELAY: "77", MIMALLOC_USE_NUMA_NODES: "3" },
  jemalloc: { MALLOC_CONF: "dirty_decay_ms:77" },
} as const;
const SET = {
  mimalloc: { purge_delay: 77, use_numa_nodes: 3 },
  jemalloc: { "opt.dirty_decay_ms": 77 },
} as const;

const FILES = { mimalloc: "/libmimalloc.so.3", jemalloc: "/libjemalloc.so.2" } as const;

for (const { allocator, version, name, suite } of LIBRARIES) {
  const library = IS_MUSL
    ? { missing: "Debian's libraries are made for glibc" }
    : debianFile(name, FILES[allocator], suite);
  const reason = "missing" in library ? library.missing : "";
  test(
    `Debian's ${name} of ${suite}, serving, gives blocks and heaps, and tells its options`,
    skipUnless("path" in library, reason),
    async () => {
      assert.ok("path" in library);
      const use = runtimeCommand(join(FIXTURES, "use-serving.ts"), allocator, library.path);
      const chosen = ["--allocator", allocator, "--library", library.path];
      const { status, stdout, stderr } = await runChild(
        offheapCommand("run", ...chosen, "--", ...use),
        { variables: OPTIONS[allocator] },
      );
      assert.equal(status, 0, stderr);
      const told = JSON.parse(stdout);
      assert.match(told.version, version);
      assert.deepEqual({ ...told, version: null }, {
        version: null,
        verified: true,
        path: realpathSync(library.path),
        set: SET[allocator],
      });
    },
  );
}
