// The secure variant: what its guarding layer lets through, and what it stops.
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { runCases } from "../../bench/misuse/outcomes.ts";
import { buildMisuse, listCases, type MisuseCase, type Setup } from "../../bench/misuse/program.ts";
import { GUARD_FEATURE } from "../../lib/library/manifest.ts";
import { launchEnvironment } from "../../mod.ts";
import { compileTo } from "../support/built-once.ts";
import { compileProgram, temporaryDirectory } from "../support/compile.ts";
import { effort, THOROUGH } from "../support/effort.ts";
import { builtLibrary, FIXTURES, ROOT, runChild } from "../support/runtime.ts";
import { ADDRESS_SANITIZERS, sanitizersMissing, THREAD_SANITIZER } from "../support/sanitizers.ts";
import { skipUnless } from "../support/skip.ts";

const ALLOCATORS = ["jemalloc", "mimalloc"] as const;
const NATIVE = join(ROOT, "ffi", "native");
const directory = temporaryDirectory();

const built = ALLOCATORS.every((name) => existsSync(builtLibrary(name, "secure")));
const withLibraries = skipUnless(
  process.platform === "linux" && built,
  'the secure libraries are not built: "npm run build:native -- --variant secure" builds them',
);

function setupOf(allocator: (typeof ALLOCATORS)[number]): Setup {
  const variables = launchEnvironment({ allocator, secure: true });
  return { title: `${allocator} --secure`, plain: null, variables };
}

/** How often all sizes are tried: also within one round memory is taken that was given back. */
const ROUNDS = `-DROUNDS=${effort(1, 2)}`;

const GLIBC: Setup = { title: "glibc", plain: null, variables: {} };

const stopped = (all: readonly { readonly outcome: string }[]): number =>
  all.filter(({ outcome }) => outcome === "stopped").length;

/** How many cases glibc stops by itself. */
let stoppedByGlibc: number | undefined;

/** On a push each way of each class once, with sizes in turn. */
function chosenCases(cases: readonly MisuseCase[]): MisuseCase[] {
  const ways = Map.groupBy(cases, ({ class: kind, way }) => `${kind} ${way}`);
  return [...ways.values()].flatMap((sizes, index) =>
    THOROUGH ? sizes : sizes.slice(index % sizes.length).slice(0, 1)
  );
}

/** What is said of each class of misuse; reads leave no trace. */
const MESSAGES: Readonly<Record<string, RegExp>> = {
  // A delayed one may come when the memory has another use.
  "double free": /: (double free|no block begins at .*|.* no readable memory .*): 0x[0-9a-f]{16}$/,
  // What is there may be another block that was freed.
  "free inside a block": /no block begins at|a freed block was to be resized|double free/,
  "free elsewhere": /no block begins at|there is no readable memory at/,
  "overrun": /the bytes after the block were overwritten/,
  "overrun by memcpy": /the bytes after the block were overwritten/,
  "underrun": /the bytes before it were overwritten/,
  "underrun by memcpy": /the bytes before it were overwritten/,
  "write after free": /a freed block was written to|the bytes (after|before)/,
};

/** A large freed block is closed, and a megabyte may run out of what is mapped: the system ends it. */
function isCrash({ class: kind, way, size }: MisuseCase): boolean {
  return way === "a megabyte" || (size === "large" && kind.endsWith("after free"));
}

for (const allocator of ALLOCATORS) {
  test(
    `secure ${allocator}: all misuse but reads is stopped, and reported by its kind`,
    withLibraries,
    () => {
      const program = buildMisuse();
      const cases = chosenCases(listCases(program));
      const results = runCases(program, cases, setupOf(allocator), 1);
      assert.ok(results.length >= effort(45, 116), String(results.length));
      for (const one of results) {
        const name = `${one.class}, ${one.way}, ${one.size}: ${one.outcome}: ${one.detail}`;
        const message = MESSAGES[one.class];
        // Whether a block has left its list by then, and whose it is, is chance.
        if (one.class === "write after free" && one.way === "delayed") continue;
        assert.notEqual(one.outcome, "harmed", name);
        if (isCrash(one) && one.detail === "SIGSEGV") continue;
        if (message === undefined) {
          // A small block's old bytes are gone for whoever reads them.
          assert.equal(one.outcome, "unseen", name);
          continue;
        }
        assert.equal(one.outcome, "stopped", name);
        assert.match(one.detail, /^SIGABRT offheap: heap misuse: /, name);
        assert.match(one.detail, message, name);
      }
      const glibc = stoppedByGlibc ??= stopped(runCases(program, cases, GLIBC, 1));
      assert.ok(stopped(results) > glibc, `${stopped(results)} against glibc's ${glibc}`);
    },
  );

  test(`secure ${allocator}: what programs may do is no misuse`, withLibraries, async () => {
    const manifest = readFileSync(`${builtLibrary(allocator, "secure")}.json`, "utf8");
    assert.ok(JSON.parse(manifest).features.includes(GUARD_FEATURE));
    const program = compileProgram("guard-use.c", "guard-use", [
      "-fno-builtin",
      "-pthread",
      ROUNDS,
    ]);
    const { variables } = setupOf(allocator);
    const { status, signal, stdout, stderr } = await runChild([program], { variables });
    assert.deepEqual([status, signal, stdout, stderr], [0, null, "done\n", ""]);
  });
}

/** The C library's names, by others: a sanitizer needs its own. */
const RENAMED = [
  ...["malloc", "calloc", "realloc", "free", "reallocarray", "cfree", "malloc_usable_size"],
  ...["posix_memalign", "aligned_alloc", "memalign", "valloc", "pvalloc"],
].map((name) => `-D${name}=guarded_${name}`);

/**
 * What a sanitizer is given to see. The address sanitizer cannot be used after a fork of a process
 * with threads; the thread sanitizer sees nothing where there is but one thread, and takes a minute.
 */
const PARTS: ReadonlyMap<readonly string[], readonly string[]> = new Map([
  [ADDRESS_SANITIZERS, ["-DWITHOUT_FORK"]],
  [THREAD_SANITIZER, ["-DWITHOUT_FORK", "-DONLY_THREADS"]],
]);

/** The layer over the C library's allocator, with a program that uses it. */
function buildLayer(name: string, sanitizers: readonly string[], layer: string): string {
  const flags = ["-g", "-O1", "-Wall", "-Wextra", "-Werror", "-pthread", "-fno-builtin"];
  const compile = (source: string, more: readonly string[]): string => {
    const object = join(directory, `${name}-${source.split("/").at(-1)}.o`);
    const options = [...flags, ...sanitizers, ...more, `-I${NATIVE}`, "-c"];
    return compileTo(object, { options, sources: [source] });
  };
  const objects = [
    compile(join(FIXTURES, "guard-use.c"), [ROUNDS, ...RENAMED, ...PARTS.get(sanitizers) ?? []]),
    compile(join(NATIVE, "guard-names.c"), RENAMED),
    compile(join(FIXTURES, "guard-inner.c"), []),
    compile(layer, []),
  ];
  return compileTo(join(directory, name), {
    options: [...sanitizers, "-pthread"],
    sources: objects,
  });
}

/** The search for leaks would read pages that the layer has closed. */
const OPTIONS = { ASAN_OPTIONS: "detect_leaks=0", TSAN_OPTIONS: "report_thread_leaks=0" };

for (
  const [title, flags] of [["address", ADDRESS_SANITIZERS], ["thread", THREAD_SANITIZER]] as const
) {
  const missing = sanitizersMissing(flags);
  const sanitized = skipUnless(missing === null, `no ${title} sanitizer (${missing})`);
  test(`the guarding layer passes the ${title} sanitizer`, sanitized, async () => {
    const program = buildLayer(title, flags, join(NATIVE, "guard.c"));
    const { status, stdout, stderr } = await runChild([program], { variables: OPTIONS });
    assert.deepEqual([status, stdout, stderr], [0, "done\n", ""]);
  });
}

interface Fault {
  readonly what: string;
  readonly from: string;
  readonly to: string;
  readonly sanitizers: readonly string[];
  readonly seen: RegExp;
}

/** Faults put into the layer, which have to be seen. */
const FAULTS: readonly Fault[] = [
  {
    what: "writes past its own memory",
    from: "memcpy(block + size_of(shape), &tail, TAIL);",
    to: "memcpy(block + size_of(shape) + MIN_PAD, &tail, TAIL);",
    sanitizers: ADDRESS_SANITIZERS,
    seen: /heap-buffer-overflow/,
  },
  {
    what: "does not lock what threads share",
    from: "pthread_mutex_lock(&ring->lock);",
    to: ";",
    sanitizers: THREAD_SANITIZER,
    seen: /ThreadSanitizer: /,
  },
];

for (const { what, from, to, sanitizers, seen } of FAULTS) {
  const missing = sanitizersMissing(sanitizers);
  const sanitized = skipUnless(missing === null, `no sanitizer (${missing})`);
  test(`a guarding layer that ${what} is found out`, sanitized, async () => {
    const text = readFileSync(join(NATIVE, "guard.c"), "utf8");
    const parts = text.split(from);
    assert.ok(parts.length > 1, from);
    const broken = join(directory, "guard.c");
    writeFileSync(broken, parts.join(to));
    const program = buildLayer("broken", sanitizers, broken);
    const { status, stderr } = await runChild([program], { variables: OPTIONS });
    assert.notEqual(status, 0);
    assert.match(stderr, seen);
  });
}
