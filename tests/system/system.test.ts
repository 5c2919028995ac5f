import assert from "node:assert/strict";
import { copyFileSync, readFileSync, realpathSync, symlinkSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { ffi } from "../../ffi/mod.ts";
import { type Address, NULL } from "../../ffi/types.ts";
import { findGlibcSymbol } from "../../lib/system/glibc-symbols.ts";
import { readLinkEntries } from "../../lib/system/link-map.ts";
import { mappedFiles, parseMaps } from "../../lib/system/linux-maps.ts";
import { system } from "../../lib/system/mod.ts";
import { type Claim, identifyObject } from "../../lib/verify/identify.ts";
import { compileShared, temporaryDirectory } from "../support/compile.ts";
import { IS_MUSL, unloading } from "../support/libc.ts";
import { skipUnless } from "../support/skip.ts";

const LIBC = realpathSync(system().findSymbol("__libc_start_main")?.object ?? "");
const OPEN_FLAGS = { lazy: 1, noload: 4 };

/** Opens a library for good, by the path that is given. */
function load(path: string): string {
  ffi().open(path, { malloc: { parameters: ["usize"], result: "pointer" } });
  return path;
}

/** A library with malloc and one more symbol; it is not preloaded, and serves nobody. */
function libraryWith(symbol: string, file: string): string {
  return load(
    compileShared("decoy-malloc.c", file, ["-DDECOY_NAMELESS", `-Dmi_version=${symbol}`]),
  );
}

test("a symbol is found in the object that defines it, also where the program has a stub for it", () => {
  // Node takes the address of free, Bun that of memcmp: dlsym finds stubs for them in the program.
  // musl's dlsym knows no names of functions for large files: all of its own are.
  for (
    const name of [
      "malloc",
      "free",
      "memcmp",
      IS_MUSL ? "mmap" : "mmap64",
      "fwrite",
      "dlopen",
      "strlen",
    ]
  ) {
    const found = system().findSymbol(name);
    assert.equal(found?.object, LIBC, name);
    assert.equal(system().findSymbolIn(LIBC, name)?.address, found?.address, name);
  }
  assert.equal(system().findSymbol("no_such_symbol_anywhere"), null);
});

test("a definition in the program counts", () => {
  const program = system().executable();
  const own = system().findSymbol("napi_create_object");
  assert.equal(own?.object, program, "every runtime's program has Node-API");
  assert.notEqual(own?.address ?? NULL, NULL);
});

const onGlibc = skipUnless(
  !IS_MUSL,
  "it hands glibc's dladdr1 addresses that have no symbol, and musl has none",
);

test("what is no definition in the program is looked for in the libraries", onGlibc, () => {
  const program = system().executable();
  const own = system().findSymbol("napi_create_object");
  assert.ok(own !== null);
  assert.equal(findGlibcSymbol("napi_create_object", own, OPEN_FLAGS), own);
  const malloc = system().findSymbol("malloc");
  const [line = ""] = readFileSync("/proc/self/maps", "utf8").split("\n")
    .filter((text) => text.endsWith(LIBC));
  const nameless = [
    (ffi().addressOf(new Uint8Array(8))) as Address,
    Number.parseInt(line, 16) as Address,
  ];
  for (const address of nameless) {
    const stub = { address, object: program };
    assert.deepEqual(findGlibcSymbol("malloc", stub, OPEN_FLAGS), malloc);
    assert.equal(findGlibcSymbol("no_such_symbol_anywhere", stub, OPEN_FLAGS), null);
  }
});

test("in one object only its own symbols are found, and only when it is loaded", () => {
  const library = compileShared("conformance.c", "libsystem-test.so");
  assert.equal(system().findSymbolIn(library, "sum"), null);
  assert.equal(system().mappedFiles().has(library), false, "looking does not load it");
  ffi().open(library, { sum: { parameters: ["buffer", "usize"], result: "u32" } });
  const found = system().findSymbolIn(library, "sum");
  assert.equal(found?.object, library);
  assert.equal(system().mappedFiles().has(library), true);
  assert.equal(system().findSymbolIn(library, "strlen"), null, "libc's, on which it depends");
  assert.equal(system().findSymbolIn(system().executable(), "gnu_get_libc_version"), null);
  const program = system().executable();
  assert.equal(system().findSymbolIn(program, "napi_create_object")?.object, program);
  assert.equal(program, realpathSync(process.execPath));
});

test("a library that was opened by a link has its real path, and a removed one its name", () => {
  const directory = temporaryDirectory();
  const library = join(directory, "libreal.so");
  copyFileSync(compileShared("decoy-malloc.c", "libsystem-link.so"), library);
  const link = join(directory, "liblink.so");
  symlinkSync(library, link);
  load(link);
  assert.equal(system().findSymbolIn(link, "mi_version")?.object, library);
  const gone = join(directory, "libgone.so");
  copyFileSync(library, gone);
  load(gone);
  unlinkSync(gone);
  // musl looks for the file, and does not find it.
  assert.equal(system().findSymbolIn(gone, "mi_version")?.object, IS_MUSL ? undefined : gone);
});

test("looking into a library does not keep it open", unloading(), () => {
  const copy = join(temporaryDirectory(), "libopen.so");
  copyFileSync(compileShared("conformance.c", "libsystem-open.so"), copy);
  const opened = ffi().open(copy, { sum: { parameters: ["buffer", "usize"], result: "u32" } });
  assert.notEqual(system().findSymbolIn(copy, "sum"), null);
  opened.close();
  assert.equal(system().mappedFiles().has(copy), false);
});

test("libc and the page size are what the system's own commands say", () => {
  const { name, version } = system().libc();
  assert.equal(name, IS_MUSL ? "musl" : "glibc");
  assert.match(String(version), IS_MUSL ? /^null$/ : /^2\.\d+$/);
  assert.equal(system().pageSize() % 4096, 0);
});

test("the controls are addresses in libc's data and on the main thread's stack", () => {
  const addresses = system().controlAddresses();
  assert.deepEqual(addresses.map(({ what }) => what), [
    "libc's static data",
    "the main thread's stack",
  ]);
  const where = addresses.map(({ address }) =>
    readFileSync("/proc/self/maps", "utf8").split("\n").find((line) => {
      const [start = NaN, end = NaN] = line.split(/[- ]/, 2)
        .map((text) => Number.parseInt(text, 16));
      return start <= address && address < end;
    })
  );
  // The variable may be copied into a program that is not position independent.
  const holders = [LIBC, system().executable()];
  assert.ok(holders.some((path) => where[0]?.endsWith(path)) || /0 $/.test(where[0] ?? ""));
  assert.match(String(where[1]), /\[stack\]$/);
});

test("maps name files, with spaces and colons in them, and nothing else", () => {
  const maps = [
    "55e0f2a00000-55e0f2a01000 r--p 00000000 fe:01 1234                       /usr/bin/a program",
    "55e0f2a01000-55e0f2a02000 r-xp 00001000 fe:01 1234                       /usr/bin/a program",
    "7f0000000000-7f0000001000 rw-p 00000000 00:00 0 ",
    "7f0000001000-7f0000002000 r--p 00000000 fe:01 99    /opt/x:y/lib.so.1 (deleted)",
    "7ffd00000000-7ffd00001000 rw-p 00000000 00:00 0                          [stack]",
    "",
  ];
  assert.deepEqual([...mappedFiles(parseMaps(maps.join("\n")))], [
    "/usr/bin/a program",
    "/opt/x:y/lib.so.1 (deleted)",
  ]);
});

test("an object is known by an allocator's symbol, and a C library also by its file's name", () => {
  const cases: readonly [symbol: string, file: string, Claim["name"]][] = [
    ["mi_version", "libx1.so", "mimalloc"],
    ["mallctl", "libx2.so", "jemalloc"],
    ["tc_version", "libx3.so", "tcmalloc"],
    ["MallocExtension_ReleaseFreeMemory", "libx4.so", "tcmalloc"],
    ["TCMallocInternalMalloc", "libx5.so", "tcmalloc"],
    ["gnu_get_libc_version", "libx6.so", "glibc"],
    ["__libc_start_main", "libc.musl-x86_64.so.1", "musl"],
    ["__libc_start_main", "ld-musl-x86_64.so.1", "musl"],
    ["__libc_start_main", "libx7.so", "unknown"],
    ["other", "libsystem_malloc.dylib", "system"],
    ["another", "libx8.so", "unknown"],
  ];
  for (const [symbol, file, name] of cases) {
    const object = libraryWith(symbol, file);
    const claim = identifyObject(object);
    assert.equal(claim.name, name, `${symbol} in ${file}`);
    const expected = name === "unknown" ? null : name === "system" ? "malloc" : symbol;
    assert.equal(claim.symbol, expected);
    assert.equal(claim.location?.object ?? null, expected === null ? null : object);
  }
});

test("the linker's list is read up to the end of a page, and not past it", () => {
  const start = 0x10_000;
  const page = new Uint8Array(4096);
  const name = "/usr/lib/libx.so";
  page.set(new TextEncoder().encode(name), page.length - name.length - 1);
  const entry = new DataView(page.buffer);
  // l_addr, l_name and l_ld; nothing is next.
  [0x7000, start + page.length - name.length - 1, 0x7100].forEach((value, index) =>
    entry.setBigUint64(8 * index, BigInt(value), true)
  );
  const read = (address: number, length: number): Uint8Array => {
    const at = address - start;
    if (at < 0 || at + length > page.length) throw new RangeError("not mapped");
    return page.subarray(at, at + length);
  };
  assert.deepEqual(readLinkEntries(read, start), [{ base: 0x7000, name, dynamic: 0x7100 }]);
  page[page.length - 1] = 1;
  assert.throws(() => readLinkEntries(read, start), /not mapped/, "a name without an end");
});
