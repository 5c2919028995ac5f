import assert from "node:assert/strict";
import { realpathSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { DEBIAN_ALLOCATORS, debianAllocatorFile } from "../../tools/packages/debian-allocators.ts";
import { FIXTURES, offheapCommand, runChild, runtimeCommand } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

/** What is set for them, and how they report it. */
const OPTIONS = {
  mimalloc: { MIMALLOC_PURGE_DELAY: "77", MIMALLOC_USE_NUMA_NODES: "3" },
  jemalloc: { MALLOC_CONF: "dirty_decay_ms:77" },
} as const;
const SET = {
  mimalloc: { purge_delay: 77, use_numa_nodes: 3 },
  jemalloc: { "opt.dirty_decay_ms": 77 },
} as const;

/**
 * 2.0 has another name for the option. 3.0 goes on claiming memory that it has given back, which may be
 * anybody's by then: it cannot be proven in a process that has freed large blocks.
 */
const TRIED = DEBIAN_ALLOCATORS.filter(({ version }) => !/^[23]\.0\./.test(version));

for (const row of TRIED) {
  const { allocator, version, packageName, suite } = row;
  const library = debianAllocatorFile(row);
  const reason = "missing" in library ? library.missing : "";
  test(
    `Debian's ${packageName} of ${suite}, serving, gives blocks and heaps, and reports its options`,
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
      const printed = JSON.parse(stdout);
      assert.ok(printed.version.startsWith(version.replace(/\d+$/, "")), printed.version);
      assert.deepEqual({ ...printed, version: null }, {
        version: null,
        verified: true,
        path: realpathSync(library.path),
        set: SET[allocator],
      });
    },
  );
}
