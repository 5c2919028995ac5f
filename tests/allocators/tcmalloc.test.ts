import assert from "node:assert/strict";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { ProcessReport } from "../../lib/watch/doctor/types.ts";
import type { Verification } from "../../lib/verify/types.ts";
import { debianFile } from "../../tools/packages/debian.ts";
import { callApi } from "../support/api.ts";
import { compileShared, temporaryDirectory } from "../support/compile.ts";
import { IS_MUSL } from "../support/libc.ts";
import {
  type ChildResult,
  FIXTURES,
  offheapCommand,
  runChild,
  runtimeCommand,
} from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const FOUND = IS_MUSL
  ? { missing: "Debian's libraries are made for glibc" }
  : debianFile("libtcmalloc-minimal4", "/libtcmalloc_minimal.so.4");
const LIBRARY = "path" in FOUND ? FOUND.path : "";

const MIB = 2 ** 20;

const withTcmalloc = () => skipUnless(LIBRARY !== "", "missing" in FOUND ? FOUND.missing : "");

function run(...args: string[]): Promise<ChildResult> {
  return runChild(offheapCommand("run", "--allocator", "tcmalloc", ...args));
}

async function printed(...command: string[]): Promise<string> {
  const { status, stdout, stderr } = await run("--library", LIBRARY, "--", ...command);
  assert.equal(status, 0, stderr);
  return stdout;
}

test(
  "a program runs under a tcmalloc whose file is named, proven inside and outside",
  withTcmalloc(),
  async () => {
    const verified = offheapCommand("verify", "--expect", "tcmalloc", "--json");
    const found: Verification = JSON.parse(await printed(...verified));
    assert.equal(found.processAllocator, "tcmalloc");
    assert.match(String(found.processAllocatorVersion), /^2\.\d+/);
    const outcomes = found.evidence.filter(({ scope }) => scope === "process")
      .map(({ check, outcome }) => `${check} ${outcome}`);
    for (const check of ["version", "ownership", "counter", "entries"]) {
      assert.ok(outcomes.includes(`${check} pass`), outcomes.join());
    }
    const doctor = offheapCommand("doctor", "--json").map((word) => `"${word}"`).join(" ");
    const report: ProcessReport = JSON.parse(await printed("sh", "-c", `${doctor} $$; true`));
    assert.equal(report.allocator, "tcmalloc");
    assert.equal(report.verified, true);
  },
);

test("info says which of tcmalloc's options are in force", withTcmalloc(), async () => {
  const info = JSON.parse(await printed(...offheapCommand("info", "--json")));
  assert.equal(info.process.name, "tcmalloc");
  assert.ok(info.process.options["tcmalloc.max_total_thread_cache_bytes"] > 0);
  const { allocated, active, resident, metadata, dirty, absent } = info.memory.allocator.figures;
  assert.ok(allocated > 0 && active >= allocated && resident >= active + dirty && metadata > 0);
  assert.equal(absent.threads, "tcmalloc does not count it");
  // offheap's own blocks do not come from it.
  assert.equal(info.allocator.name, "jemalloc");
});

test("tcmalloc's figures are the same by its agent", withTcmalloc(), async () => {
  const command = runtimeCommand(join(FIXTURES, "agent-figures.ts"));
  const { inside, counted } = JSON.parse(await printed(...command));
  assert.ok(inside.retained >= 64 * MIB, "a block that was freed is given back");
  assert.deepEqual(Object.keys(counted), Object.keys(inside));
  for (const [name, bytes] of Object.entries<number>(inside)) {
    assert.ok(Math.abs(counted[name] - bytes) < 16 * MIB, `${name}: ${bytes}, ${counted[name]}`);
  }
});

test(
  "a tcmalloc as a library is proven by its own answers, and offheap hands out no blocks of it",
  withTcmalloc(),
  async () => {
    const options = { allocator: "tcmalloc", library: LIBRARY } as const;
    const [verified, opened] = await callApi([["verifyAllocator", options], [
      "openAllocator",
      options,
    ]]);
    const found = verified?.value as Verification;
    assert.equal(found.memoryAllocator, "tcmalloc");
    assert.equal(found.memoryAllocatorVerified, true, JSON.stringify(found.evidence));
    assert.match(
      String(opened?.error?.message),
      /offheap hands out no blocks of tcmalloc\. Take one of "jemalloc"/,
    );
  },
);

test("a tcmalloc that is nowhere, or for which offheap has no variant or profile, is refused", async () => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [
      ["--library", "/nonexistent/libtcmalloc.so"],
      /Check the path, or leave it out: then the system's/,
    ],
    [["--secure"], /Cannot run tcmalloc with --secure: .* jemalloc and mimalloc only\. Take /],
    [["--profile", "balanced"], /Cannot run tcmalloc with --profile balanced: /],
  ];
  for (const [options, message] of cases) {
    const { status, stderr } = await run(...options, "--", "true");
    assert.equal(status, 125, stderr);
    assert.match(stderr, message);
  }
  const { status, stderr } = await run("--", "true");
  // A machine may have one of its own.
  if (status !== 0) {
    assert.match(stderr, /Cannot find tcmalloc: offheap does not build it\. Install /);
  }
});

test("a library of another allocator is not run under tcmalloc's name", async () => {
  const nothing = compileShared("hello.c", "libtcmalloc-named.so", []);
  const copy = join(temporaryDirectory(), "libtcmalloc_minimal.so.4");
  copyFileSync(nothing, copy);
  const { status, stderr } = await run("--library", copy, "--", "true");
  assert.equal(status, 125, stderr);
  assert.match(
    stderr,
    /does not report its version, and so is not a tcmalloc that offheap knows\. Install/,
  );
});
