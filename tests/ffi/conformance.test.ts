import assert from "node:assert/strict";
import { copyFileSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { LibraryClosedError, LibraryLoadError, SymbolError } from "../../ffi/errors.ts";
import { bindLibrary, loadError, type RawFunction } from "../../ffi/bind-library.ts";
import { ffi } from "../../ffi/mod.ts";
import { PROCESS_MALLOC_SYMBOLS } from "../../ffi/symbols/libc.ts";
import { libcCalls, readBytes, readCString } from "../../ffi/symbols/memory.ts";
import { type Address, NULL, type SymbolTable } from "../../ffi/types.ts";
import { system } from "../../lib/system/mod.ts";
import { compileShared, temporaryDirectory } from "../support/compile.ts";
import { FIXTURES, runChild, runtimeCommand } from "../support/runtime.ts";
import { IS_MUSL, unloading } from "../support/libc.ts";
import { skipUnless } from "../support/skip.ts";

const ECHOES = {
  echo_bool: { parameters: ["bool"], result: "bool" },
  echo_i8: { parameters: ["i8"], result: "i8" },
  echo_u8: { parameters: ["u8"], result: "u8" },
  echo_i16: { parameters: ["i16"], result: "i16" },
  echo_u16: { parameters: ["u16"], result: "u16" },
  echo_i32: { parameters: ["i32"], result: "i32" },
  echo_u32: { parameters: ["u32"], result: "u32" },
  echo_i64: { parameters: ["i64"], result: "i64" },
  echo_u64: { parameters: ["u64"], result: "u64" },
  echo_usize: { parameters: ["usize"], result: "usize" },
  echo_long: { parameters: ["long"], result: "long" },
  echo_f32: { parameters: ["f32"], result: "f32" },
  echo_f64: { parameters: ["f64"], result: "f64" },
  echo_pointer: { parameters: ["pointer"], result: "pointer" },
  echo_address: { parameters: ["pointerAsDouble"], result: "pointerAsDouble" },
} as const satisfies SymbolTable;

const FUNCTIONS = {
  count_call: { parameters: [], result: "void" },
  call_count: { parameters: [], result: "i32" },
  sum: { parameters: ["buffer", "usize"], result: "u32" },
  fill: { parameters: ["buffer", "usize"], result: "pointer" },
  length: { parameters: ["cstring"], result: "usize" },
  keep: { parameters: ["cstring"], result: "pointer" },
  mix: {
    parameters: ["i8", "f64", "u64", "f32", "i32", "buffer", "usize", "f64", "i16", "u8"],
    result: "f64",
  },
} as const satisfies SymbolTable;

const library = compileShared("conformance.c", "libconformance.so");
const echo = ffi().open(library, ECHOES).calls;
const functions = ffi().open(library, FUNCTIONS).calls;

const LIMITS: Record<keyof typeof ECHOES, readonly (boolean | number | bigint)[]> = {
  echo_bool: [true, false],
  echo_i8: [-128, -1, 0, 127],
  echo_u8: [0, 128, 255],
  echo_i16: [-32768, -1, 0, 32767],
  echo_u16: [0, 32768, 65535],
  echo_i32: [-(2 ** 31), -1, 0, 2 ** 31 - 1],
  echo_u32: [0, 2 ** 31, 2 ** 32 - 1],
  echo_i64: [-(2n ** 63n), -(2n ** 53n) - 1n, -1n, 0n, 1n, 2n ** 53n + 1n, 2n ** 63n - 1n],
  echo_u64: [0n, 1n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n],
  echo_usize: [0, 1, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER],
  // Of 32 bits on Windows.
  echo_long: [
    -1,
    0,
    2 ** 31 - 1,
    ...(process.platform === "win32" ? [] : [-(2 ** 40), 2 ** 53 - 1]),
  ],
  echo_f32: [0, -0, 1.5, -(2 ** 127), Infinity, NaN],
  echo_f64: [0, -0, 0.1, Number.MAX_VALUE, Number.MIN_VALUE, -Infinity, NaN],
  echo_pointer: [0, 1, 0x7fff_ffff_f000, 2 ** 52],
  echo_address: [0, 1, 0x7fff_ffff_f000, 2 ** 52],
};

test("the tests run in the runtime that the runner names", () => {
  const expected = process.env.OFFHEAP_TEST_RUNTIME;
  const { runtime, backend } = ffi();
  const name = runtime.name === "node" ? `node${Number.parseInt(runtime.version)}` : runtime.name;
  if (expected !== undefined) assert.equal(name, expected);
  const backends: Record<string, string> = {
    deno: "Deno.dlopen",
    bun: "bun:ffi",
    node22: "koffi",
    node24: "koffi",
    node26: "node:ffi",
  };
  assert.equal(backend, backends[name]);
  assert.match(runtime.version, /^\d+\.\d+\.\d+/);
});

for (const [symbol, values] of Object.entries(LIMITS)) {
  test(`${symbol} gives back what it took, at the limits of its type`, () => {
    const call = echo[symbol as keyof typeof echo] as (value: unknown) => unknown;
    for (const value of values) assert.deepEqual(call(value), value);
  });
}

test("a size_t that no number holds exactly is a RangeError, not a rounded number", () => {
  const table = { echo_u64: { parameters: ["u64"], result: "usize" } } as const;
  const opened = ffi().open(library, table);
  assert.equal(opened.calls.echo_u64(2n ** 53n - 1n), Number.MAX_SAFE_INTEGER);
  assert.throws(() => opened.calls.echo_u64(2n ** 53n), RangeError);
  assert.throws(() => opened.calls.echo_u64(2n ** 64n - 1n), RangeError);
  opened.close();
  const address = { echo_u64: { parameters: ["u64"], result: "pointer" } } as const;
  const pointers = ffi().open(library, address);
  assert.equal(pointers.calls.echo_u64(2n ** 52n), 2 ** 52);
  assert.throws(() => pointers.calls.echo_u64(2n ** 53n), RangeError);
  pointers.close();
});

test("a function without arguments or result is called once a call", () => {
  const before = functions.call_count();
  assert.equal(functions.count_call(), undefined);
  assert.equal(functions.call_count(), before + 1);
});

test("a buffer's bytes reach native code, from a view's own offset", () => {
  const bytes = Uint8Array.from([9, 1, 2, 3, 9]);
  assert.equal(functions.sum(bytes, 5), 24);
  assert.equal(functions.sum(bytes.subarray(1, 4), 3), 6);
  assert.equal(functions.sum(new DataView(bytes.buffer, 2, 2), 2), 5);
  assert.equal(functions.sum(new Float64Array([0]), 8), 0);
});

test("null and an empty view reach native code as NULL", () => {
  assert.equal(functions.sum(null, 0), 2 ** 32 - 1);
  assert.equal(functions.sum(new Uint8Array(0), 0), 2 ** 32 - 1);
});

test("what native code writes into a buffer is seen by JavaScript, at the right offset", () => {
  const bytes = new Uint8Array(6);
  const address = functions.fill(bytes.subarray(2, 5), 3);
  assert.deepEqual([...bytes], [0, 0, 1, 2, 3, 0]);
  assert.equal(address, ffi().addressOf(bytes) + 2);
  assert.equal(ffi().addressOf(bytes.subarray(4)), ffi().addressOf(bytes) + 4);
  assert.deepEqual([...readBytes(address, 3)], [1, 2, 3]);
});

test("wrapped memory is the native memory itself, until it is detached", () => {
  const process = ffi().open(null, PROCESS_MALLOC_SYMBOLS);
  const start = process.calls.malloc(8192);
  const buffer = ffi().wrap(start, 8192);
  assert.equal(buffer.byteLength, 8192);
  const view = new Uint8Array(buffer);
  view.set([1, 2, 3], 4096);
  assert.deepEqual([...readBytes(start + 4096 as Address, 3)], [1, 2, 3]);
  assert.equal(ffi().addressOf(view.subarray(4096)), start + 4096);
  const moved = buffer.transfer(0);
  assert.equal(view.length + moved.byteLength + buffer.byteLength, 0);
  assert.deepEqual([...readBytes(start + 4096 as Address, 3)], [1, 2, 3], "it was not copied");
  process.calls.free(start);
  process.close();
});

test("a pointer is what the runtime's own FFI takes", () => {
  const { pointer, runtime } = ffi();
  const kinds: Record<string, string> = { deno: "object", bun: "number", node: "bigint" };
  const made = pointer(4096 as Address);
  assert.equal(typeof made, kinds[runtime.name]);
  if (typeof made !== "object") assert.equal(Number(made), 4096);
});

test("strings go in as UTF-8 and come out again; one with a NUL inside is refused", () => {
  assert.equal(functions.length(""), 0);
  assert.equal(functions.length("grün ☃ 🐋"), new TextEncoder().encode("grün ☃ 🐋").length);
  assert.equal(readCString(functions.keep("naïve 🐋")), "naïve 🐋");
  assert.equal(readCString(functions.keep("abcdef"), 3), "abc");
  assert.throws(() => functions.length("a\0b"), TypeError);
});

test("arguments of many types keep their places", () => {
  const one = Uint8Array.of(32);
  assert.equal(functions.mix(-1, 2.5, 4n, 8.25, -16, one, 64, 0.125, -128, 255), 220.875);
});

const linux = () => skipUnless(process.platform === "linux", "it is about Linux's dynamic linker");

test("a missing library is a LibraryLoadError that names it", () => {
  assert.throws(
    () => ffi().open("/nonexistent/libnothing.so", FUNCTIONS),
    (error) =>
      error instanceof LibraryLoadError && error.code === "ERR_OFFHEAP_LIBRARY_LOAD" &&
      error.message.includes("/nonexistent/libnothing.so") &&
      /no such file|cannot open shared object|not found|126/i.test(error.message) &&
      error.attempts[0]?.path === "/nonexistent/libnothing.so",
  );
});

test("a library that is no library says what may be wrong with it", linux(), () => {
  const damaged = join(temporaryDirectory(), "libdamaged.so");
  const whole = new Uint8Array(readFileSync(library));
  const ELF_CLASS = 4;
  const ELF_TYPE = 16;
  // musl looks at a library's type alone.
  const altered = IS_MUSL ? whole.with(ELF_TYPE, 0) : whole.with(ELF_CLASS, 1);
  for (const bytes of [new Uint8Array(0), new Uint8Array(4096), altered]) {
    writeFileSync(damaged, bytes);
    assert.throws(() => ffi().open(damaged, FUNCTIONS), {
      name: "LibraryLoadError",
      message:
        /^Cannot load ".*libdamaged\.so": .*\. The file is damaged or made for another mach/s,
    });
  }
});

test("a library with static TLS says to preload it or to build another", linux(), () => {
  const greedy = compileShared("static-tls.c", "libstatic-tls.so");
  const table = { address_of_greedy: { parameters: [], result: "pointer" } } as const;
  assert.throws(() => ffi().open(greedy, table), {
    name: "LibraryLoadError",
    message:
      /(static|initial-exec) TLS.* preload it with "offheap run", or build .* with "npx @offheap\/build"/s,
  });
});

test("whatever C library says that a library cannot be loaded, the advice is the same", () => {
  const said: readonly [advice: RegExp, ...words: string[]][] = [
    [
      /preload it with "offheap run"/,
      "/x/a.so: cannot allocate memory in static TLS block",
      "Error relocating /x/a.so: p: initial-exec TLS resolves to dynamic definition in /x/a.so",
    ],
    [
      /The file is damaged or made for another machine/,
      "/x/a.so: wrong ELF class: ELFCLASS32",
      "Error loading shared library /x/a.so: Exec format error",
    ],
    [
      /or a library that it needs is missing/,
      "libb.so.1: cannot open shared object file: No such file or directory",
      "Error loading shared library libb.so.1: No such file or directory (needed by /x/a.so)",
    ],
  ];
  for (const [advice, ...words] of said) {
    for (const text of words) assert.match(loadError("/x/a.so", new Error(text)).message, advice);
  }
});

test("missing symbols are a SymbolError that names all of them", () => {
  const table = {
    sum: FUNCTIONS.sum,
    no_such_a: { parameters: [], result: "void" },
    no_such_b: { parameters: ["i32"], result: "i32" },
  } as const satisfies SymbolTable;
  assert.throws(
    () => ffi().open(library, table),
    (error) =>
      error instanceof SymbolError && error.code === "ERR_OFFHEAP_SYMBOL" &&
      error.symbols.join() === "no_such_a,no_such_b" && error.path === library,
  );
});

/** A library as an adapter would have it, that counts how often it is closed. */
function rawLibrary(symbols: Readonly<Record<string, RawFunction>>) {
  const raw = {
    closed: 0,
    find: (symbol: string): RawFunction | undefined => symbols[symbol],
    close: (): void => void raw.closed++,
  };
  return raw;
}

test("a library that lacks a symbol does not stay open", () => {
  const raw = rawLibrary({ sum: () => 0 });
  const table = { sum: FUNCTIONS.sum, no_such: FUNCTIONS.sum };
  assert.throws(() => bindLibrary("x", table, raw, {}, {}), SymbolError);
  assert.equal(raw.closed, 1);
});

test("close closes the runtime's own handle, once", () => {
  const raw = rawLibrary({ sum: () => 0 });
  const { close } = bindLibrary("x", { sum: FUNCTIONS.sum }, raw, {}, {});
  assert.equal(raw.closed, 0);
  close();
  close();
  assert.equal(raw.closed, 1);
});

test(
  "a closed library is unmapped, also when a symbol was missing",
  linux().reason === null ? unloading() : linux(),
  () => {
    const copy = join(realpathSync(temporaryDirectory()), "libclosed.so");
    copyFileSync(library, copy);
    const isMapped = () => system().mappedFiles().has(copy);
    const opened = ffi().open(copy, FUNCTIONS);
    assert.equal(opened.calls.call_count(), 0);
    assert.equal(isMapped(), true);
    opened.close();
    assert.equal(isMapped(), false);
    const optional = { ...FUNCTIONS, no_such: { parameters: [], result: "void", optional: true } };
    ffi().open(copy, optional as SymbolTable).close();
    assert.equal(isMapped(), false);
    const required = { ...FUNCTIONS, no_such: { parameters: [], result: "void" } };
    assert.throws(() => ffi().open(copy, required as SymbolTable), SymbolError);
    assert.equal(isMapped(), false);
  },
);

test("a function works as long as it is held, whatever else of its library is collected", () => {
  const copy = join(temporaryDirectory(), "libheld.so");
  copyFileSync(library, copy);
  const { sum } = ffi().open(copy, FUNCTIONS).calls;
  // Where garbage can be collected at will: elsewhere the test says less.
  for (let i = 0; i < 5; i++) Reflect.get(globalThis, "Bun")?.gc(true);
  assert.equal(sum(Uint8Array.of(1, 2), 2), 3);
  const { malloc, free } = ffi().open(null, PROCESS_MALLOC_SYMBOLS).calls;
  for (let i = 0; i < 5; i++) Reflect.get(globalThis, "Bun")?.gc(true);
  free(malloc(100));
});

test("the adapter and the C library are opened once", () => {
  assert.equal(ffi(), ffi());
  assert.equal(libcCalls(), libcCalls());
});

test("a Node that is too old is refused with a sentence", async () => {
  const child = runtimeCommand(join(FIXTURES, "old-node.ts"));
  const { stdout, stderr } = await runChild(child);
  assert.match(
    stdout,
    /^UnsupportedRuntimeError ERR_OFFHEAP_UNSUPPORTED_RUNTIME Cannot use native libraries in Node 20\.20\.2: offheap needs Node 22\.12 or newer\.\n$/,
    stderr,
  );
});

const inDeno = () =>
  skipUnless(
    ffi().runtime.name === "deno",
    "only Deno permits libraries by path",
  );

test(
  "in Deno, a missing file in a directory that is permitted is missing, not forbidden",
  inDeno(),
  async () => {
    const open = async (path: string) => {
      const flags = ["--quiet", "--no-check", "--no-prompt", "--allow-ffi=/nonexistent"];
      const script = join(FIXTURES, "open-library.ts");
      return (await runChild([process.execPath, "run", ...flags, script, path])).stdout;
    };
    assert.match(await open("/nonexistent/libnothing.so"), /^LibraryLoadError /);
    assert.match(await open("/elsewhere/libnothing.so"), /^PermissionError /);
  },
);

test("a missing optional symbol is undefined, and the others work", () => {
  const table = {
    sum: FUNCTIONS.sum,
    no_such: { parameters: [], result: "void", optional: true },
    length: { ...FUNCTIONS.length, optional: true },
  } as const satisfies SymbolTable;
  const { calls, close } = ffi().open(library, table);
  assert.equal(calls.no_such, undefined);
  assert.equal(calls.length?.("four"), 4);
  assert.equal(calls.sum(Uint8Array.of(7), 1), 7);
  close();
});

test("after close each call throws, and a second close does nothing", () => {
  const opened = ffi().open(library, FUNCTIONS);
  assert.equal(opened.path, library);
  opened.close();
  opened.close();
  assert.throws(
    () => opened.calls.call_count(),
    (error) =>
      error instanceof LibraryClosedError && error.code === "ERR_OFFHEAP_LIBRARY_CLOSED" &&
      error.message.includes("call_count"),
  );
  assert.equal(typeof functions.call_count(), "number", "another handle stays open");
});

test("the process itself can be opened: its malloc gives memory that its free takes", () => {
  const table = {
    malloc: { parameters: ["usize"], result: "pointer" },
    free: { parameters: ["pointer"], result: "void" },
    no_such_symbol_anywhere: { parameters: [], result: "void", optional: true },
  } as const satisfies SymbolTable;
  const opened = ffi().open(null, table);
  const block: Address = opened.calls.malloc(100);
  assert.ok(block > 4096 && Number.isSafeInteger(block));
  opened.calls.free(block);
  opened.calls.free(NULL);
  assert.equal(opened.calls.no_such_symbol_anywhere, undefined);
  opened.close();
});
