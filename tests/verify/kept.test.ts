import assert from "node:assert/strict";
import { copyFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ffi } from "../../ffi/mod.ts";
import { examineProcess } from "../../lib/watch/doctor/doctor.ts";
import {
  getSystemInfo,
  healthCheck,
  openAllocator,
  verifyAllocator,
  type VerifyOptions,
} from "../../mod.ts";
import type { DebianFile } from "../../tools/packages/debian.ts";
import { debianAllocator, debianAllocatorFile } from "../../tools/packages/debian-allocators.ts";
import { withChild } from "../support/child.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { effort, THOROUGH } from "../support/effort.ts";
import { IS_MUSL } from "../support/libc.ts";
import {
  builtLibrary,
  FIXTURES,
  offheapCommand,
  runChild,
  runtimeCommand,
} from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const ALLOCATORS = ["jemalloc", "mimalloc"] as const;

/** The libraries that are opened meanwhile: nobody is asked without that. */
function openedBy(action: () => void): (string | null)[] {
  const adapter = ffi();
  const { open } = adapter;
  const paths: (string | null)[] = [];
  adapter.open = (...args: Parameters<typeof open>) => {
    paths.push(args[0]);
    return open.apply(adapter, args) as never;
  };
  try {
    action();
  } finally {
    adapter.open = open;
  }
  return paths;
}

function countOpened(action: () => void): number {
  return openedBy(action).length;
}

test("a verification opens its library once, and an allocator that is opened later asks and binds no more", () => {
  for (const allocator of ALLOCATORS) {
    const library = realpathSync(builtLibrary(allocator));
    const opened = openedBy(() => verifyAllocator({ allocator, library, refresh: true }));
    assert.equal(opened.filter((path) => path === library).length, 1);
    const opening = () => openedBy(() => openAllocator({ allocator, library }).close());
    // Its functions for memory, once; no questions.
    assert.equal(opening().filter((path) => path === library).length, 1);
    assert.deepEqual(opening(), []);
  }
});

test("an answer is kept, by what was asked, and refresh asks again", () => {
  for (const allocator of [...ALLOCATORS, "system"] as const) {
    const first = verifyAllocator({ allocator });
    let again: unknown;
    assert.equal(countOpened(() => again = verifyAllocator({ allocator })), 0);
    assert.equal(again, first);
    assert.ok(Object.isFrozen(first) && Object.isFrozen(first.evidence));
    let fresh: unknown;
    assert.ok(countOpened(() => fresh = verifyAllocator({ allocator, refresh: true })) > 0);
    assert.notEqual(fresh, first);
    assert.equal(verifyAllocator({ allocator }), fresh, "the newest answer is kept");
    assert.equal(verifyAllocator({ allocator, refresh: false }), fresh);
  }
  const jemalloc = verifyAllocator({ allocator: "jemalloc" });
  const library = builtLibrary("jemalloc");
  assert.notEqual(verifyAllocator({ allocator: "jemalloc", library }), jemalloc);
  assert.notEqual(verifyAllocator({ allocator: "mimalloc" }), jemalloc);
});

test("a refresh that is no boolean is refused", () => {
  for (const refresh of ["yes", 1, null]) {
    const options = { refresh } as unknown as VerifyOptions;
    assert.throws(() => verifyAllocator(options), {
      name: "TypeError",
      message: /refresh must be/,
    });
  }
});

test("what is known of the system is asked once, and a health check asks nobody again", () => {
  getSystemInfo();
  assert.equal(countOpened(() => void healthCheck()), 0);
  assert.equal(countOpened(() => void getSystemInfo()), 0);
});

test("an allocator that is opened again is not put to the test again", () => {
  openAllocator().close();
  const hashed = countOpened(() => openAllocator().close());
  assert.ok(hashed <= 3, `${hashed} libraries were opened`);
});

const own = (allocator: string): DebianFile => ({ path: builtLibrary(allocator, "preload") });
const debian = (...words: Parameters<typeof debianAllocator>): DebianFile =>
  debianAllocatorFile(debianAllocator(...words));

/** Each version that can be had; what a machine may have besides is tried by `bench:versions`. */
const VERSIONS: readonly (readonly [string, (typeof ALLOCATORS)[number], DebianFile])[] = [
  ["jemalloc as it is built", "jemalloc", own("jemalloc")],
  ["mimalloc as it is built", "mimalloc", own("mimalloc")],
  ["bookworm's jemalloc", "jemalloc", debian("jemalloc", "bookworm")],
  ["forky's mimalloc 3", "mimalloc", debian("mimalloc", "forky")],
  ["trixie-backports' mimalloc 3", "mimalloc", debian("mimalloc", "trixie-backports")],
];

for (const [what, allocator, library] of VERSIONS) {
  const reason = "missing" in library ? library.missing : "";
  test(
    `a process under ${what} is verified each time that it is asked, in a Worker as well`,
    skipUnless("path" in library, reason),
    async () => {
      assert.ok("path" in library);
      const times = [effort(20, 100), 5];
      const run = ["run", "--allocator", allocator, "--library", library.path, "--"];
      const script = join(FIXTURES, "verify-often.ts");
      const command = runtimeCommand(script, allocator, ...times.map(String));
      const { stdout, stderr } = await runChild(offheapCommand(...run, ...command));
      const lines = times.map((verified) => `${JSON.stringify({ verified, first: null })}\n`);
      assert.equal(stdout, lines.join(""), stderr);
    },
  );
}

interface Replaced {
  readonly before: Verdicts | null;
  readonly after: Verdicts;
  /** How many files are mapped under the library's name. */
  readonly copies: number;
}

interface Verdicts {
  readonly process: string;
  readonly processVerified: boolean;
  readonly libraryVerified: boolean;
  readonly library: string;
  readonly failed: readonly unknown[];
}

const glibc = () => skipUnless(!IS_MUSL, "musl distinguishes libraries by their files alone");

const CASES = [
  { what: "replaced", preloaded: true, words: [] },
  { what: "replaced before anybody asked", preloaded: true, words: ["late"] },
  { what: "removed", preloaded: true, words: ["remove"] },
  { what: "replaced", preloaded: false, words: ["named"] },
] as const;

for (const [turn, allocator] of ALLOCATORS.entries()) {
  // On a push each is tried with one of the two.
  const cases = CASES.filter((_, index) => THOROUGH || index % 2 === turn);
  for (const { what, preloaded, words } of cases) {
    const how = preloaded ? "preloaded" : "loaded";
    test(
      `a ${how} ${allocator} that is ${what} on disk stays verified, once`,
      glibc(),
      async () => {
        const path = join(temporaryDirectory(), `lib${allocator}-redeploy.so`);
        copyFileSync(builtLibrary(allocator), path);
        const script = join(FIXTURES, "verify-replaced.ts");
        const [command, ...args] = runtimeCommand(script, allocator, path, ...words);
        const env = { LD_PRELOAD: preloaded ? path : undefined };
        await withChild(command, args, { env }, ({ pid, output }) => {
          const line = output().split("\n").find((text) => text.startsWith("{"));
          const { before, after, copies } = JSON.parse(line ?? "") as Replaced;
          for (const found of [before, after]) {
            if (found === null) continue;
            const said = JSON.stringify(found, null, 1);
            assert.deepEqual(found.failed, [], said);
            assert.ok(found.processVerified && found.libraryVerified, said);
            assert.equal(found.process, preloaded ? allocator : "glibc", said);
            assert.equal(found.library, path, said);
          }
          assert.equal(copies, 1, "no second copy was loaded");
          if (!preloaded) return;
          const report = examineProcess(pid);
          assert.equal(report.verified, true, JSON.stringify(report, null, 1));
          assert.equal(report.allocator, allocator);
          assert.match(report.advice.join("\n"), /removed or replaced since/);
        });
      },
    );
  }
}
