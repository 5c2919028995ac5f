import assert from "node:assert/strict";
import { copyFileSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { SymbolError } from "../../ffi/errors.ts";
import { JEMALLOC_PREFIX, JEMALLOC_SYMBOLS, jemallocPrefix } from "../../ffi/symbols/jemalloc.ts";
import { PROCESS_MALLOC_SYMBOLS } from "../../ffi/symbols/libc.ts";
import { MIMALLOC_SYMBOLS } from "../../ffi/symbols/mimalloc.ts";
import { bindLibrary } from "../../ffi/bind-library.ts";
import { ffi } from "../../ffi/mod.ts";
import type { Address } from "../../ffi/types.ts";
import { libraryFault } from "../../lib/library/file-fault.ts";
import { openAllocator } from "../../mod.ts";
import { system } from "../../lib/system/mod.ts";
import { interrogate, isVerified } from "../../lib/verify/evidence.ts";
import { openProcessBlocks, type ProcessFinding } from "../../lib/verify/process.ts";
import { explainMismatch } from "../../lib/verify/require.ts";
import { openSystemProbe } from "../../lib/allocators/system.ts";
import { verifyAllocator } from "../../lib/verify/verify.ts";
import { temporaryDirectory } from "../support/compile.ts";
import {
  builtLibrary,
  FIXTURES,
  offheapCommand,
  runChild,
  runtimeCommand,
} from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";
import { withZig, zigFixture } from "../support/zig.ts";

const linux = () => skipUnless(process.platform === "linux", "it preloads as Linux does");
const windows = () => skipUnless(process.platform === "win32", "it is about Windows itself");

test("jemalloc's names have a prefix where the C library's cannot be taken", () => {
  for (const platform of ["darwin", "win32"]) assert.equal(jemallocPrefix(platform), "je_");
  for (const platform of ["linux", "freebsd", "android"]) {
    assert.equal(jemallocPrefix(platform), "");
  }
  assert.equal(JEMALLOC_PREFIX, jemallocPrefix(process.platform));
  assert.notEqual(system().findSymbolIn(openJemalloc(), `${JEMALLOC_PREFIX}mallctl`), null);
});

function openJemalloc(): string {
  const path = realpathSync(builtLibrary("jemalloc"));
  ffi().open(path, JEMALLOC_SYMBOLS, JEMALLOC_PREFIX);
  return path;
}

test("a prefix comes before a library's names and not before those of the calls", () => {
  const asked: string[] = [];
  const raw = {
    find(symbol: string) {
      asked.push(symbol);
      return symbol === "je_known" ? () => 7 : undefined;
    },
    close() {},
  };
  const row = { parameters: [], result: "i32" } as const;
  const table = { known: row, unknown: { ...row, optional: true } } as const;
  const { calls } = bindLibrary("x", table, raw, {}, {}, "je_");
  assert.equal(calls.known(), 7);
  assert.equal(calls.unknown, undefined);
  assert.deepEqual(asked, ["je_known", "je_unknown"]);
  assert.throws(
    () => bindLibrary("x", { missing: row }, raw, {}, {}, "je_"),
    (error) => error instanceof SymbolError && error.symbols.join() === "je_missing",
  );
});

test("every runtime opens a library by names with a prefix", () => {
  // Without the prefix no library has it: on Linux malloc itself would be found both ways.
  const table = { good_size: MIMALLOC_SYMBOLS.mi_good_size } as const;
  const opened = ffi().open(builtLibrary("mimalloc"), table, "mi_");
  assert.ok(opened.calls.good_size(100) >= 100);
  opened.close();
});

interface LibraryFile {
  readonly platform: string;
  readonly what: string;
  readonly path: () => string;
}

const FILES: readonly LibraryFile[] = [
  {
    platform: "darwin",
    what: "a Mach-O",
    path: () => zigFixture("hello.c", "libhello.dylib", "aarch64-macos", ["-shared"]),
  },
  {
    platform: "win32",
    what: "a PE",
    // Without a C library, which zig takes minutes to make.
    path: () =>
      zigFixture("binary-windows.c", "fixture.dll", "x86_64-windows-gnu", [
        ...["-shared", "-s", "-nostdlib", "-lkernel32"],
      ]),
  },
  {
    platform: "linux",
    what: "an ELF",
    path: () => zigFixture("hello.c", "libhello.so", "x86_64-linux-musl", ["-shared"]),
  },
];

for (const { platform, what, path: build } of FILES) {
  test(
    `${what} library that is truncated or of another format is not loaded on ${platform}`,
    withZig,
    () => {
      const bytes = Uint8Array.from(readFileSync(build()));
      const path = join(temporaryDirectory(), "library");
      const why = (part: Uint8Array, on = platform): string | undefined => {
        writeFileSync(path, part);
        return libraryFault(path, on)?.why;
      };
      assert.equal(why(bytes), undefined);
      assert.match(
        why(bytes.subarray(0, 1000)) ?? "",
        /^its \S+ file is truncated or damaged$/,
      );
      assert.equal(why(new Uint8Array(4096)), `it is not ${what} file`);
      for (const other of FILES) {
        if (other.platform === platform) continue;
        assert.equal(
          why(bytes, other.platform),
          `it is not ${other.what} file`,
        );
      }
    },
  );
}

async function verifyZones(preload?: string): Promise<ProcessFinding> {
  const script = join(FIXTURES, "verify-zones.ts");
  const { stdout, stderr } = await runChild(runtimeCommand(script), {
    variables: { LD_PRELOAD: preload },
  });
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout);
}

for (const allocator of ["jemalloc", "mimalloc"] as const) {
  test(
    `where malloc does not show who serves it, ${allocator} is found by its answers`,
    linux(),
    async () => {
      const library = builtLibrary(allocator);
      const found = await verifyZones(library);
      assert.deepEqual([found.allocator, found.verified, found.object], [allocator, true, library]);
      const owner = found.evidence.find(({ check }) => check === "serving-object");
      assert.equal(owner?.outcome, "unavailable");
      assert.match(owner?.detail ?? "", /says nothing of who serves it here/);
    },
  );

  test(
    `where malloc does not show who serves it, ${allocator} that serves nobody is passed over`,
    linux(),
    async () => {
      // Behind the other one, which serves malloc, it is loaded and found by its symbol.
      const other = allocator === "jemalloc" ? "mimalloc" : "jemalloc";
      const found = await verifyZones(`${builtLibrary(other)}:${builtLibrary(allocator)}`);
      assert.deepEqual([found.allocator, found.verified], [other, true]);
    },
  );
}

test("a system's own allocator is verified by its answers about a block and about other memory", () => {
  const port = system();
  const before = Object.getOwnPropertyDescriptor(port, "openSystemHeap") ?? {};
  const judge = (owns: (address: Address) => boolean) => {
    const openSystemHeap = () => ({ question: "asked", owns, close() {} });
    Object.defineProperty(port, "openSystemHeap", { value: openSystemHeap, configurable: true });
    const blocks = openProcessBlocks();
    const held = new Set<Address>();
    const source = {
      allocate(size: number) {
        const block = blocks.allocate(size);
        held.add(block);
        return block;
      },
      free: blocks.free,
    };
    mine = held;
    const evidence = interrogate("process", openSystemProbe(), source, port.controlAddresses());
    blocks.close();
    return evidence;
  };
  let mine = new Set<Address>();
  try {
    const honest = judge((address) => mine.has(address));
    assert.equal(isVerified(honest), true);
    assert.deepEqual(honest.map(({ check }) => check), ["counter", "ownership"], "no version");
    assert.equal(isVerified(judge(() => false)), false);
    assert.equal(isVerified(judge(() => true)), false);
    Object.defineProperty(port, "openSystemHeap", { value: null, configurable: true });
    assert.throws(openSystemProbe, /^RangeError: this system has no function that says/);
  } finally {
    Object.defineProperty(port, "openSystemHeap", { ...before, configurable: true });
  }
});

test("what to do about the wrong allocator names this system's own way", () => {
  const text = explainMismatch(verifyAllocator({ allocator: "mimalloc" }), "jemalloc");
  const expected = process.platform === "win32"
    ? /This system has no way to put another allocator in front of a process\.$/
    : /drops (LD_PRELOAD|DYLD_INSERT_LIBRARIES)\.$/;
  assert.match(text, expected);
});

test("on Windows the C runtime serves malloc, proven by its heap", windows(), () => {
  const found = verifyAllocator({ allocator: "system" });
  assert.deepEqual(
    [found.libc, found.processAllocator, found.processAllocatorVerified],
    ["ucrt", "system", true],
  );
  assert.equal(found.memoryAllocatorVerified, true);
  const ownership = found.evidence.find(({ check }) => check === "ownership");
  assert.match(
    ownership?.detail ?? "",
    /^HeapValidate .* and denies the C runtime's static data and this thread's stack$/,
  );
});

test("on Windows symbols are found in the module that defines them", windows(), () => {
  const malloc = system().findSymbol("malloc");
  assert.match(malloc?.object ?? "", /\\ucrtbase\.dll$/i);
  const library = realpathSync(builtLibrary("mimalloc"));
  ffi().open(library, { mi_version: MIMALLOC_SYMBOLS.mi_version });
  assert.equal(system().findSymbolIn(library, "mi_version")?.object, library);
  assert.equal(system().findSymbolIn(library, "malloc"), null);
  assert.equal(system().findSymbolIn("Z:\\no\\such.dll", "malloc"), null);
  assert.equal(system().findSymbol("no_such_symbol"), null);
  const files = system().mappedFiles();
  assert.ok(files.has(library) && files.has(malloc?.object ?? ""));
  assert.equal(system().pageSize() % 4096, 0);
});

test("on Windows a page is mapped within a range, and given back", windows(), () => {
  const { malloc, free } =
    ffi().open(builtLibrary("mimalloc"), PROCESS_MALLOC_SYMBOLS, "mi_").calls;
  const block = malloc(100);
  const span = 1 << 32;
  const base = (block - block % span) as Address;
  const page = system().mapPageWithin(base, 2 ** 33);
  assert.ok(page !== null && page >= base && page < base + 2 ** 33);
  const taken = system().mapPageWithin(page, 4096);
  assert.equal(taken, null, "it is taken");
  system().unmapPage(page);
  const again = system().mapPageWithin(page, 4096);
  assert.equal(again, page);
  system().unmapPage(page);
  free(block);
});

test("a library in a directory with letters of other languages is loaded", () => {
  const directory = realpathSync(temporaryDirectory());
  for (const allocator of ["jemalloc", "mimalloc"] as const) {
    // Windows takes a name without a suffix for one of a .dll.
    const library = join(directory, `größe ☃ ${basename(builtLibrary(allocator))}`);
    copyFileSync(builtLibrary(allocator), library);
    const memory = openAllocator({ allocator, library });
    const block = memory.allocate(1000);
    assert.equal(block.bytes.length, 1000);
    block.free();
    memory.close();
  }
});

test(
  "on Windows run and env refuse with status 125 and what to do instead",
  windows(),
  async () => {
    for (const args of [["run", "--", "cmd"], ["env", "-f", "json"]]) {
      const { status, stderr, stdout } = await runChild(offheapCommand(...args));
      assert.equal(status, 125, stderr);
      assert.equal(stdout, "");
      assert.match(
        stderr,
        /Windows has no preload: .* Use openAllocator\(\) for native blocks; .* WSL/,
      );
    }
  },
);
