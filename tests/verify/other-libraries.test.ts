// Libraries that offheap did not build: those that claim to be an allocator, and Debian's.
import assert from "node:assert/strict";
import { realpathSync } from "node:fs";
import { dirname } from "node:path";
import { test } from "node:test";
import { debianFile } from "../../tools/packages/debian.ts";
import {
  DEBIAN_ALLOCATORS,
  debianAllocator,
  debianAllocatorFile,
} from "../../tools/packages/debian-allocators.ts";
import { callApi } from "../support/api.ts";
import { compileShared } from "../support/compile.ts";
import { IS_MUSL } from "../support/libc.ts";
import { builtLibrary } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";
import {
  ALL_OF_PROCESS,
  ALLOCATORS,
  assertCounters,
  assertPasses,
  assertProcess,
  find,
  LIBC,
  verify,
} from "../support/verification.ts";

for (const allocator of ALLOCATORS) {
  test(`a library that exports ${allocator}'s names and nothing real is not verified`, async () => {
    const library = compileShared("decoy-names.c", `decoy-names-${allocator}.so`);
    const found = await verify({ allocator, library });
    assert.equal(found.memoryAllocator, allocator);
    assert.equal(found.memoryAllocatorVerified, false);
    assertProcess(found, LIBC, true);
  });

  test(`a preloaded library that exports ${allocator}'s names leaves the process with the C library`, async () => {
    const library = compileShared("decoy-names.c", `decoy-preloaded-${allocator}.so`);
    const found = await verify({ allocator }, [library]);
    assertProcess(found, LIBC, true);
    assert.equal(found.memoryAllocatorVerified, true, "the real library is beside it");
    assert.equal(find(found, "library", "symbol").detail.includes("decoy"), false);
  });

  const define = allocator === "jemalloc" ? ["-DDECOY_MALLCTL"] : [];

  test(`a library with ${allocator}'s version alone is not verified, loaded or preloaded`, async () => {
    const library = compileShared("decoy-version.c", `decoy-version-${allocator}.so`, define);
    const loaded = await verify({ allocator, library });
    assert.equal(loaded.memoryAllocatorVerified, false);
    assert.match(find(loaded, "library", "symbol").detail, /does not export/);
    assertProcess(await verify({ allocator }, [library]), LIBC, true);
  });

  for (const counts of [false, true]) {
    const manner = counts ? "counts, and " : "";
    test(`a decoy that ${manner}claims every address as ${allocator}'s, whose malloc is libc's, is not verified`, async () => {
      const flags = [...define, ...(counts ? ["-DDECOY_COUNTS"] : [])];
      const library = compileShared("decoy-malloc.c", `decoy-${allocator}-${counts}.so`, flags);
      const found = await verify({ allocator }, [library]);
      assertProcess(found, "unknown", false);
      const check = allocator === "mimalloc" || counts ? "ownership" : "counter";
      assert.equal(find(found, "process", check).outcome, "fail");
    });
  }
}

interface Lie {
  readonly lie: string;
  readonly flags: readonly string[];
  /** The item of evidence that speaks against it, and what it says. */
  readonly check: "symbol" | "serving-object" | "ownership" | "counter";
  readonly detail: RegExp;
}

/** Libraries that serve malloc by handing it on to libc. */
const LIES: readonly Lie[] = [
  {
    lie: "jemalloc that counts rightly and claims no address",
    flags: ["-DDECOY_MALLCTL", "-DDECOY_COUNTS", "-DDECOY_CLAIMS(p)=0"],
    check: "ownership",
    detail: /denies the block/,
  },
  {
    lie: "jemalloc that counts three times what it is asked for",
    flags: ["-DDECOY_MALLCTL", "-DDECOY_COUNTS=3"],
    check: "counter",
    detail: /moved by 3\d{6}, /,
  },
  {
    lie: "mimalloc that counts rightly and claims no address",
    flags: ["-DDECOY_COUNTS", "-DDECOY_CLAIMS(p)=0"],
    check: "ownership",
    detail: /denies the block/,
  },
  {
    lie: "mimalloc that claims every address but those in objects",
    flags: ["-DDECOY_COUNTS", "-DDECOY_CLAIMS(p)=!is_static(p)"],
    check: "ownership",
    detail: /claims the main thread's stack/,
  },
  {
    lie: "mimalloc that claims every address but the stack's",
    flags: ["-DDECOY_COUNTS", "-DDECOY_CLAIMS(p)=!is_on_stack(p)"],
    check: "ownership",
    detail: /claims libc's static data/,
  },
  {
    lie: "mimalloc that has nothing but a version",
    flags: ["-DDECOY_NAMELESS"],
    check: "symbol",
    detail: /does not export mi_is_in_heap_region/,
  },
  {
    lie: "allocator without a name",
    flags: ["-DDECOY_NAMELESS", "-Dmi_version=nothing_known"],
    check: "serving-object",
    detail: /malloc is served by ".*verify-lie-\d+\.so"/,
  },
];

LIES.forEach(({ lie, flags, check, detail }, index) => {
  test(`a false ${lie} is not verified, and the evidence says why`, async () => {
    const library = compileShared("decoy-malloc.c", `verify-lie-${index}.so`, flags);
    const found = await verify({}, [library]);
    assertProcess(found, "unknown", false);
    assert.equal(found.processAllocatorVersion, null);
    const against = found.evidence.filter(({ scope, outcome }) =>
      scope === "process" && outcome === "fail"
    );
    const item = against.find((one) => one.check === check);
    assert.match(String(item?.detail), detail, JSON.stringify(against));
    assert.equal(found.memoryAllocatorVerified, true, "the library beside it is real");
    const nameless = check === "serving-object"
      ? /has no symbol by which offheap knows an allocator/
      : /./;
    assert.match(find(found, "process", "symbol").detail, nameless);
  });
});

test("a malloc whose free is another object's fails as the serving object", async () => {
  const library = compileShared("doctor-decoy.c", "verify-malloc-only.so", ["-DFORWARDS"]);
  const found = await verify({}, [library]);
  assertProcess(found, "unknown", false);
  assert.match(find(found, "process", "serving-object").detail, /-only\.so", but free by ".*libc/);
});

test("a tcmalloc that cannot be asked is named and not verified", async () => {
  const flags = ["-DDECOY_NAMELESS", "-Dmi_version=tc_version"];
  const library = compileShared("decoy-malloc.c", "verify-tcmalloc.so", flags);
  const found = await verify({}, [library]);
  assertProcess(found, "tcmalloc", false);
  assertPasses(found, "process", ["symbol", "serving-object", "mapping"]);
  assert.equal(find(found, "process", "ownership").outcome, "unavailable");
});

const TCMALLOC = IS_MUSL
  ? { missing: "Debian's libraries are made for glibc" }
  : debianFile("libtcmalloc-minimal4", "/libtcmalloc_minimal.so.4");

test(
  "tcmalloc is proven by what it owns and counts, and its blocks are to be had as the system's",
  skipUnless("path" in TCMALLOC, "missing" in TCMALLOC ? TCMALLOC.missing : ""),
  async () => {
    assert.ok("path" in TCMALLOC);
    const found = await verify({ allocator: "system" }, [TCMALLOC.path]);
    assertProcess(found, "tcmalloc", true);
    assert.match(String(found.processAllocatorVersion), /^2\.\d+/);
    assertPasses(found, "process", ["symbol", "serving-object", "mapping", "version", "ownership"]);
    assertPasses(found, "process", ["counter", "entries"]);
    assert.equal(found.memoryAllocatorVerified, true);
    const variables = { LD_PRELOAD: TCMALLOC.path };
    const use = [["openAllocator", { allocator: "system" }]] as const;
    const [opened] = await callApi(use, { variables });
    assert.equal(opened?.error, undefined);
  },
);

test("a library that only depends on jemalloc is not taken for it", async () => {
  const real = builtLibrary("jemalloc");
  const flags = ["-Wl,--no-as-needed", real, `-Wl,-rpath,${dirname(real)}`];
  const library = compileShared("hello.c", "verify-depends.so", flags);
  const found = await verify({ library });
  assert.equal(found.memoryAllocatorVerified, false);
  assert.match(
    find(found, "library", "symbol").detail,
    /^mallctl is not in ".*-depends\.so"/,
  );
  assertPasses(found, "library", ["version", "ownership", "counter"]);
  assert.equal(found.library?.path, library);
  assert.equal(found.library?.manifest, false);
});

/** Debian's own builds: another compiler's flags, initial-exec TLS, and mimalloc 3. */
for (const row of DEBIAN_ALLOCATORS) {
  const { allocator, packageName, suite, version } = row;
  const library = debianAllocatorFile(row);
  const reason = "missing" in library ? library.missing : "";
  test(
    `Debian's ${packageName} of ${suite} preloaded is verified as ${allocator}`,
    skipUnless("path" in library, reason),
    async () => {
      assert.ok("path" in library);
      const found = await verify({ allocator }, [library.path]);
      assertProcess(found, allocator, true);
      assertPasses(found, "process", ALL_OF_PROCESS);
      const series = version.replace(/\d+$/, "");
      assert.ok(
        found.processAllocatorVersion?.startsWith(series),
        `${found.processAllocatorVersion}`,
      );
      assertCounters(found, allocator);
      assert.equal(found.memoryAllocatorVerified, true, "by the same instance");
      assert.equal(found.library?.path, realpathSync(library.path));
    },
  );
}

const MIMALLOC_3 = debianAllocatorFile(debianAllocator("mimalloc", "trixie"));
test(
  "mimalloc 3 loaded as the library is verified, without a manifest",
  skipUnless("path" in MIMALLOC_3, "missing" in MIMALLOC_3 ? MIMALLOC_3.missing : ""),
  async () => {
    assert.ok("path" in MIMALLOC_3);
    const found = await verify({ allocator: "mimalloc", library: MIMALLOC_3.path });
    assert.match(String(found.memoryAllocatorVersion), /^3\./);
    assertPasses(found, "library", ["symbol", "version", "ownership", "mapping"]);
    assertCounters(found, "mimalloc");
    assert.equal(find(found, "library", "hash").outcome, "unavailable");
    assert.equal(found.memoryAllocatorVerified, true);
  },
);
