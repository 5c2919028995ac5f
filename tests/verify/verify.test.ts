import assert from "node:assert/strict";
import { copyFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { VerifyOptions } from "../../lib/verify/options.ts";
import type { Verification } from "../../lib/verify/types.ts";
import { copyCheckout } from "../support/checkout.ts";
import { compileShared, temporaryDirectory } from "../support/compile.ts";
import { IS_QUICKEST, onceInBun } from "../support/effort.ts";
import { IS_MUSL } from "../support/libc.ts";
import { builtLibrary, ROOT, runChild, runtimeCommand } from "../support/runtime.ts";
import { NOT_SKIPPED, skipUnless } from "../support/skip.ts";
import {
  ALL_OF_LIBC,
  ALL_OF_LIBRARY,
  ALL_OF_PROCESS,
  ALLOCATORS,
  assertCounters,
  assertPasses,
  assertProcess,
  CHILD,
  find,
  LIBC,
  verify,
} from "../support/verification.ts";

const OTHER = { jemalloc: "mimalloc", mimalloc: "jemalloc" } as const;

/** What each runtime brings is how it loads libraries and starts threads: that is tried in each. */
const ONCE = onceInBun("what is examined is alike");

let plain: Promise<Verification> | undefined;
/** What is found where nothing is preloaded or asked for. */
function plainly(): Promise<Verification> {
  return plain ??= verify({});
}

test("a plain process is served by the C library, verified", async () => {
  const found = await plainly();
  assertProcess(found, LIBC, true);
  assert.match(String(found.processAllocatorVersion), IS_MUSL ? /^null$/ : /^2\.\d+$/);
  assertPasses(found, "process", ALL_OF_LIBC);
  assert.equal(found.libc, LIBC);
  assert.equal(found.memoryAllocator, "jemalloc");
});

test("a program that was started under another name is examined all the same", ONCE, async () => {
  const command = runtimeCommand(CHILD, "{}");
  const renamed = ["bash", "-c", 'exec -a some-name "$@"', "bash", ...command] as const;
  const { stdout, stderr } = await runChild([...renamed]);
  assert.notEqual(stdout, "", stderr);
  assertProcess(JSON.parse(stdout) as Verification, LIBC, true);
});

for (const allocator of ALLOCATORS) {
  test(`${allocator} preloaded serves the process, and offheap's blocks from the same instance`, async () => {
    const found = await verify({ allocator }, [builtLibrary(allocator)]);
    assertProcess(found, allocator, true);
    assertPasses(found, "process", ALL_OF_PROCESS);
    assertPasses(found, "library", ALL_OF_LIBRARY);
    assertCounters(found, allocator);
    assert.equal(found.memoryAllocator, allocator);
    assert.equal(found.memoryAllocatorVerified, true);
    assert.equal(found.memoryAllocatorVersion, found.processAllocatorVersion);
    assert.deepEqual(found.library?.path, builtLibrary(allocator));
    assert.equal(found.library?.origin, "process");
    assert.equal(found.library?.manifest, true);
  });

  test(
    `${allocator} only loaded as a library leaves the process with the C library`,
    ONCE,
    async () => {
      const found = await verify({ allocator });
      assertProcess(found, LIBC, true);
      assert.equal(found.memoryAllocator, allocator);
      assert.equal(found.memoryAllocatorVerified, true);
      assertPasses(found, "library", ALL_OF_LIBRARY);
      const { detail } = find(found, "library", "ownership");
      if (allocator === "mimalloc") {
        assert.match(detail, /denies .*a block of the process's malloc/);
      }
    },
  );

  test(
    `${allocator} preloaded beside ${OTHER[allocator]} as the library: each is distinguished`,
    ONCE,
    async () => {
      const found = await verify({ allocator: OTHER[allocator] }, [builtLibrary(allocator)]);
      assertProcess(found, allocator, true);
      assert.equal(found.memoryAllocator, OTHER[allocator]);
      assert.equal(found.memoryAllocatorVerified, true);
      assertPasses(found, "library", ALL_OF_LIBRARY);
    },
  );

  const inEach = allocator === "jemalloc" ? NOT_SKIPPED : ONCE;
  test(`two copies of ${allocator} in one process are two allocators`, inEach, async () => {
    const copy = join(temporaryDirectory(), `lib${allocator}-copy.so`);
    copyFileSync(builtLibrary(allocator), copy);
    const library = builtLibrary(allocator);
    const found = await verify({ allocator, library }, [copy]);
    assertProcess(found, allocator, true);
    assert.equal(found.memoryAllocatorVerified, true);
    assert.equal(found.library?.path, library);
    assert.match(find(found, "process", "symbol").detail, /-copy\.so/);
    assert.ok(!find(found, "library", "symbol").detail.includes("-copy.so"));
    if (allocator === "mimalloc") {
      assert.match(find(found, "library", "ownership").detail, /a block of the process's malloc/);
      assert.match(find(found, "process", "ownership").detail, /a block of offheap's library/);
    }
    if (!IS_QUICKEST) {
      return;
    }
    const shared = await verify({ allocator }, [copy]);
    assert.equal(shared.library?.path, copy, "unless a library is named, it is what serves here");
    assert.equal(shared.library?.origin, "process");
    assert.equal(shared.memoryAllocatorVerified, true);
  });

  test(`inside a Worker, ${allocator} is verified as in the main thread`, inEach, async () => {
    const found = await verify({ allocator }, [builtLibrary(allocator)], "worker");
    assertProcess(found, allocator, true);
    assert.equal(found.memoryAllocatorVerified, true);
    assertPasses(found, "process", ALL_OF_PROCESS);
  });
}

test("a library calls its own functions, not those of the same names that are preloaded", async () => {
  const preload = compileShared("interpose.c", "verify-interpose.so");
  for (const allocator of ALLOCATORS.slice(0, IS_QUICKEST ? 2 : 1)) {
    const found = await verify({ allocator }, [preload]);
    assert.equal(found.memoryAllocatorVerified, true);
    assertPasses(found, "library", ALL_OF_LIBRARY);
    assertProcess(found, LIBC, true);
  }
});

test("a library that is no library is a finding, and the process has its own", async () => {
  const text = join(temporaryDirectory(), "libtext.so");
  writeFileSync(text, "no library\n".repeat(100));
  const found = await verify({ library: text });
  assert.equal(found.memoryAllocatorVerified, false);
  assert.equal(found.library, null);
  assert.match(find(found, "library", "symbol").detail, /Cannot load .*libtext\.so/);
  assertProcess(found, LIBC, true);
});

const onGlibc = (reason: string) => skipUnless(!IS_MUSL, reason);
const noCounter = onceInBun(
  "it is about what the shim reads",
  onGlibc("musl has no counter that the shim could read"),
);

test(
  "without the shim glibc's counter is unavailable, and its ownership proves it",
  noCounter,
  async () => {
    const copy = copyCheckout();
    const child = join(copy, "tests", "fixtures", "verify-child.ts");
    copyFileSync(CHILD, child);
    symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
    const { stdout, stderr } = await runChild(
      runtimeCommand(child, JSON.stringify({ allocator: "system" })),
      { variables: { XDG_CACHE_HOME: copy } },
    );
    const found = JSON.parse(stdout || JSON.stringify(stderr)) as Verification;
    assertProcess(found, LIBC, true);
    assert.match(
      find(found, "process", "counter").detail,
      /^offheap's own library \(liboffheap\), which reads it, was not found; "npx @offheap\/build/,
    );
    assert.equal(find(found, "process", "counter").outcome, "unavailable");
    assertPasses(found, "process", ["ownership"]);
  },
);

test("the system's allocator as the library is the process's own", ONCE, async () => {
  const found = await verify({ allocator: "system" });
  assert.equal(found.memoryAllocator, "system");
  assert.equal(found.memoryAllocatorVerified, true);
  assert.equal(found.library, null);
  assertPasses(found, "library", ALL_OF_LIBC);
  assertPasses(found, "process", ALL_OF_LIBC);
});

test("a missing library is a finding, with every place that was looked at", ONCE, async () => {
  const found = await verify({ library: "/nonexistent/libjemalloc.so" });
  assert.equal(found.memoryAllocatorVerified, false);
  assert.equal(found.library, null);
  assert.match(find(found, "library", "symbol").detail, /\/nonexistent\/libjemalloc\.so/);
  assertProcess(found, LIBC, true);
});

test("OFFHEAP_ALLOCATOR chooses the library, and an option comes before it", ONCE, async () => {
  const command = (options: VerifyOptions) => runtimeCommand(CHILD, JSON.stringify(options));
  const variables = { OFFHEAP_ALLOCATOR: "mimalloc" };
  const chosen = await runChild(command({}), { variables });
  assert.equal((JSON.parse(chosen.stdout) as Verification).memoryAllocator, "mimalloc");
  const option = await runChild(command({ allocator: "jemalloc" }), { variables });
  assert.equal((JSON.parse(option.stdout) as Verification).memoryAllocator, "jemalloc");
});

test("an allocator of the runtime's own is named, and only where there is one", async () => {
  const found = await plainly();
  const own = "bun" in globalThis.process.versions;
  assert.equal(found.runtimeAllocator?.name ?? null, own ? "mimalloc" : null);
  if (own) assert.match(String(found.runtimeAllocator?.note), /no preload replaces it/);
});
