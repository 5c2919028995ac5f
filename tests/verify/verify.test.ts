import assert from "node:assert/strict";
import { copyFileSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import type { Evidence, Verification } from "../../lib/verify/types.ts";
import type { VerifyOptions } from "../../lib/verify/options.ts";
import { callApi } from "../support/api.ts";
import { copyCheckout } from "../support/checkout.ts";
import { compileShared, temporaryDirectory } from "../support/compile.ts";
import { debianFile } from "../../tools/packages/debian.ts";
import {
  DEBIAN_ALLOCATORS,
  debianAllocator,
  debianAllocatorFile,
} from "../../tools/packages/debian-allocators.ts";
import { IS_MUSL } from "../support/libc.ts";
import { builtLibrary, FIXTURES, ROOT, runChild, runtimeCommand } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const CHILD = join(FIXTURES, "verify-child.ts");
const ALLOCATORS = ["jemalloc", "mimalloc"] as const;
const OTHER = { jemalloc: "mimalloc", mimalloc: "jemalloc" } as const;

async function verify(
  options: VerifyOptions,
  preload: readonly string[] = [],
  where: "main" | "worker" = "main",
): Promise<Verification> {
  const command = runtimeCommand(CHILD, JSON.stringify(options), where);
  const variables = preload.length === 0 ? {} : { LD_PRELOAD: preload.join(":") };
  const { status, signal, stdout, stderr } = await runChild(command, { variables });
  assert.equal(status, 0, `the child ended with ${signal ?? status}: ${stderr}`);
  return JSON.parse(stdout) as Verification;
}

function find(found: Verification, scope: string, check: string): Evidence {
  const item = found.evidence.find((one) => one.scope === scope && one.check === check);
  assert.ok(item, `there is no evidence ${scope}/${check}`);
  return item;
}

function assertPasses(found: Verification, scope: string, checks: readonly string[]): void {
  for (const check of checks) {
    const { outcome, detail } = find(found, scope, check);
    assert.equal(outcome, "pass", `${scope}/${check}: ${detail}`);
  }
}

const ALL_OF_LIBRARY = ["symbol", "version", "ownership", "hash", "mapping"];
const ALL_OF_PROCESS = ["symbol", "version", "serving-object", "ownership", "entries", "mapping"];

/** musl tells no version, and has no counters. */
const ALL_OF_LIBC = IS_MUSL
  ? ["symbol", "serving-object", "ownership", "entries", "mapping"]
  : [...ALL_OF_PROCESS, "counter"];

/** mimalloc counts for the whole process, and may have committed a block before. */
function assertCounters(found: Verification, allocator: string): void {
  const counters = found.evidence.filter(({ check }) => check === "counter");
  const wanted = allocator === "jemalloc" ? ["pass"] : ["pass", "unavailable"];
  for (const { outcome, detail } of counters) assert.ok(wanted.includes(outcome), detail);
}
const LIBC = IS_MUSL ? "musl" : "glibc";

function assertProcess(found: Verification, allocator: string, verified: boolean): void {
  const said = JSON.stringify(found.evidence, null, 1);
  assert.equal(found.processAllocator, allocator, said);
  assert.equal(found.processAllocatorVerified, verified, said);
}

test("a plain process is served by the C library, verified", async () => {
  const found = await verify({});
  assertProcess(found, LIBC, true);
  assert.match(String(found.processAllocatorVersion), IS_MUSL ? /^null$/ : /^2\.\d+$/);
  assertPasses(found, "process", ALL_OF_LIBC);
  assert.equal(found.libc, LIBC);
  assert.equal(found.memoryAllocator, "jemalloc");
});

test("a program that was started under another name is examined all the same", async () => {
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

  test(`${allocator} only loaded as a library leaves the process with the C library`, async () => {
    const found = await verify({ allocator });
    assertProcess(found, LIBC, true);
    assert.equal(found.memoryAllocator, allocator);
    assert.equal(found.memoryAllocatorVerified, true);
    assertPasses(found, "library", ALL_OF_LIBRARY);
    const { detail } = find(found, "library", "ownership");
    if (allocator === "mimalloc") assert.match(detail, /denies .*a block of the process's malloc/);
  });

  test(`${allocator} preloaded beside ${OTHER[allocator]} as the library: each is distinguished`, async () => {
    const found = await verify({ allocator: OTHER[allocator] }, [builtLibrary(allocator)]);
    assertProcess(found, allocator, true);
    assert.equal(found.memoryAllocator, OTHER[allocator]);
    assert.equal(found.memoryAllocatorVerified, true);
    assertPasses(found, "library", ALL_OF_LIBRARY);
  });

  test(`two copies of ${allocator} in one process are two allocators`, async () => {
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
    const shared = await verify({ allocator }, [copy]);
    assert.equal(shared.library?.path, copy, "unless a library is named, it is what serves here");
    assert.equal(shared.library?.origin, "process");
    assert.equal(shared.memoryAllocatorVerified, true);
  });

  test(`inside a Worker, ${allocator} is verified as in the main thread`, async () => {
    const found = await verify({ allocator }, [builtLibrary(allocator)], "worker");
    assertProcess(found, allocator, true);
    assert.equal(found.memoryAllocatorVerified, true);
    assertPasses(found, "process", ALL_OF_PROCESS);
  });

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
    test(`a decoy that ${manner}claims every address as ${allocator}'s, with libc behind its malloc, is not verified`, async () => {
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

test("a library calls its own functions, not those of the same names that are preloaded", async () => {
  const preload = compileShared("interpose.c", "verify-interpose.so");
  for (const allocator of ALLOCATORS) {
    const found = await verify({ allocator }, [preload]);
    assert.equal(found.memoryAllocatorVerified, true);
    assertPasses(found, "library", ALL_OF_LIBRARY);
    assertProcess(found, LIBC, true);
  }
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
    /^mallctl does not lie in ".*-depends\.so"/,
  );
  assertPasses(found, "library", ["version", "ownership", "counter"]);
  assert.equal(found.library?.path, library);
  assert.equal(found.library?.manifest, false);
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
const noCounter = onGlibc("musl has no counter that the shim could read");

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

test("the system's allocator as the library is the process's own", async () => {
  const found = await verify({ allocator: "system" });
  assert.equal(found.memoryAllocator, "system");
  assert.equal(found.memoryAllocatorVerified, true);
  assert.equal(found.library, null);
  assertPasses(found, "library", ALL_OF_LIBC);
  assertPasses(found, "process", ALL_OF_LIBC);
});

test("a missing library is a finding, with every place that was looked at", async () => {
  const found = await verify({ library: "/nonexistent/libjemalloc.so" });
  assert.equal(found.memoryAllocatorVerified, false);
  assert.equal(found.library, null);
  assert.match(find(found, "library", "symbol").detail, /\/nonexistent\/libjemalloc\.so/);
  assertProcess(found, LIBC, true);
});

test("OFFHEAP_ALLOCATOR chooses the library, and an option comes before it", async () => {
  const command = (options: VerifyOptions) => runtimeCommand(CHILD, JSON.stringify(options));
  const variables = { OFFHEAP_ALLOCATOR: "mimalloc" };
  const chosen = await runChild(command({}), { variables });
  assert.equal((JSON.parse(chosen.stdout) as Verification).memoryAllocator, "mimalloc");
  const option = await runChild(command({ allocator: "jemalloc" }), { variables });
  assert.equal((JSON.parse(option.stdout) as Verification).memoryAllocator, "jemalloc");
});

test("an allocator of the runtime's own is named, and only where there is one", async () => {
  const found = await verify({});
  const own = "bun" in globalThis.process.versions;
  assert.equal(found.runtimeAllocator?.name ?? null, own ? "mimalloc" : null);
  if (own) assert.match(String(found.runtimeAllocator?.note), /no preload replaces it/);
});
