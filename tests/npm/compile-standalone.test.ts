import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { isStandalone, runtimeInfo } from "../../ffi/mod.ts";
import type { LoadAttempt } from "../../lib/errors.ts";
import { hostTarget } from "../../lib/library/target.ts";
import { copyCheckout } from "../support/checkout.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { builtLibrary, childEnvironment, FIXTURES, ROOT, runChild } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const checkout = copyCheckout();
const PROGRAM = join(checkout, "tests", "fixtures", "standalone.ts");
copyFileSync(join(FIXTURES, "standalone.ts"), PROGRAM);
// What the module depends on; the package of npm has it in its bundle.
mkdirSync(join(checkout, "node_modules"));
symlinkSync(
  join(ROOT, "node_modules", "pprof-format"),
  join(checkout, "node_modules", "pprof-format"),
  "junction",
);

/** How each runtime compiles a program; Node's way wants a binary that is altered, not tried. */
const COMPILERS: Readonly<Record<string, (program: string, output: string) => string[]>> = {
  bun: (program, output) => ["build", "--compile", program, "--outfile", output],
  deno: (program, output) => ["compile", "-A", "--no-check", "--output", output, program],
};

const directory = temporaryDirectory();
const executable = join(directory, "dist", "program");

/** Why the program cannot be compiled here; `null` when it was. */
function compile(): string | null {
  const words = COMPILERS[runtimeInfo().name];
  if (words === undefined) return "Node has no command that compiles a program";
  mkdirSync(join(directory, "dist"));
  const { status, stderr } = spawnSync(process.execPath, words(PROGRAM, executable), {
    encoding: "utf8",
    env: childEnvironment({ DENO_NO_UPDATE_CHECK: "1" }),
    timeout: 60_000,
  });
  if (status === 0) return null;
  // Deno's compiler adds the program to a runtime that it downloads, once for each version.
  if (/denort|dl\.deno\.land|error sending request|[Dd]ownload/.test(stderr)) {
    return "deno compile cannot download its runtime here (DENORT_BIN may name one)";
  }
  throw new Error(`Cannot compile: ${stderr}`);
}

const reason = compile();
const COMPILED = skipUnless(reason === null, reason ?? "");

interface Report {
  readonly text?: string;
  readonly memoryAllocatorVerified?: boolean;
  readonly library?: { readonly origin: string; readonly path: string };
  readonly name?: string;
  readonly attempts?: readonly LoadAttempt[];
}

async function report(variables: Record<string, string> = {}): Promise<Report> {
  const elsewhere = join(directory, "elsewhere");
  mkdirSync(elsewhere, { recursive: true });
  const { stdout, stderr } = await runChild([executable, "héllo"], {
    cwd: elsewhere,
    variables: { XDG_CACHE_HOME: join(directory, "cache"), HOME: directory, ...variables },
  });
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout);
}

function copyLibraries(place: string, names: readonly string[]): void {
  mkdirSync(place, { recursive: true, mode: 0o700 });
  for (const name of names) {
    for (const suffix of ["", ".json"]) {
      copyFileSync(`${builtLibrary(name)}${suffix}`, join(place, `lib${name}.so${suffix}`));
    }
  }
}

const BESIDE = join(directory, "dist", "offheap");

test("a runtime that runs a script is no compiled program", () => {
  assert.equal(isStandalone(), false);
});

test("a compiled program finds the libraries in the directory beside it", COMPILED, async () => {
  copyLibraries(BESIDE, ["jemalloc", "offheap"]);
  try {
    const { text, memoryAllocatorVerified, library } = await report();
    assert.equal(text, "héllo");
    assert.equal(memoryAllocatorVerified, true);
    assert.equal(library?.origin, "executable");
    assert.equal(library?.path, join(BESIDE, "libjemalloc.so"));
  } finally {
    rmSync(BESIDE, { recursive: true });
  }
});

test("what is beside a compiled program must be what its manifest says", COMPILED, async () => {
  copyLibraries(BESIDE, ["jemalloc", "offheap"]);
  writeFileSync(join(BESIDE, "libjemalloc.so"), "altered");
  try {
    const { name, attempts } = await report();
    assert.equal(name, "LibraryLoadError");
    assert.equal(attempts?.at(-1)?.origin, "executable");
    assert.match(attempts?.at(-1)?.outcome ?? "", /^refused: its sha256 is /);
  } finally {
    rmSync(BESIDE, { recursive: true });
  }
});

test("what is beside a compiled program must have a manifest", COMPILED, async () => {
  copyLibraries(BESIDE, ["jemalloc", "offheap"]);
  rmSync(join(BESIDE, "libjemalloc.so.json"));
  try {
    const { name, attempts } = await report();
    assert.equal(name, "LibraryLoadError");
    assert.deepEqual(attempts?.at(-1), {
      origin: "executable",
      path: join(BESIDE, "libjemalloc.so"),
      outcome: "refused: it has no manifest",
    });
  } finally {
    rmSync(BESIDE, { recursive: true });
  }
});

test("a compiled program takes OFFHEAP_LIBRARY, and the cache's shim", COMPILED, async () => {
  const cache = join(directory, "cache", "offheap", "native", hostTarget().name, "release");
  const named = join(directory, "named");
  copyLibraries(cache, ["offheap"]);
  copyLibraries(named, ["jemalloc"]);
  try {
    const found = await report({ OFFHEAP_LIBRARY: join(named, "libjemalloc.so") });
    assert.equal(found.library?.origin, "environment");
    assert.equal(found.memoryAllocatorVerified, true);
  } finally {
    rmSync(cache, { recursive: true });
  }
});

test("a compiled program without libraries says where it looked", COMPILED, async () => {
  const { name, attempts = [] } = await report();
  assert.equal(name, "LibraryLoadError");
  assert.deepEqual(
    attempts.filter(({ origin }) => origin !== "system").map(({ origin, path }) => [origin, path]),
    [
      ["build", "-"],
      ["package", "-"],
      ["executable", join(BESIDE, "libjemalloc.so")],
      [
        "cache",
        join(
          directory,
          "cache",
          "offheap",
          "native",
          hostTarget().name,
          "release",
          "libjemalloc.so",
        ),
      ],
    ],
  );
});
