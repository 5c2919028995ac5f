import assert from "node:assert/strict";
import { test } from "node:test";
import { type Address, openAllocator, openLibrary, type SymbolTable } from "../../mod.ts";
import { builtLibrary } from "../support/runtime.ts";

test("functions of the process and of a library are called by a table, typed by it", () => {
  const libc = openLibrary(null, {
    strlen: { parameters: ["pointer"], result: "usize" },
    labs: { parameters: ["long"], result: "long" },
    memcmp: { parameters: ["buffer", "cstring", "usize"], result: "i32" },
    no_such_function: { parameters: [], result: "void", optional: true },
  });
  assert.equal(libc.path, null);
  const memory = openAllocator({ allocator: "system" });
  const text = memory.allocateFrom("native", { terminated: true });
  const length: number = libc.calls.strlen(text.address);
  assert.equal(length, 6);
  assert.equal(libc.calls.labs(-5), 5);
  assert.equal(libc.calls.memcmp(text.bytes, "native", 7), 0);
  assert.equal(libc.calls.no_such_function, undefined);
  text.free();
  memory.close();
  libc.close();
  libc.close();
  assert.throws(() => libc.calls.labs(1), {
    name: "LibraryClosedError",
    code: "ERR_OFFHEAP_LIBRARY_CLOSED",
    message: /^Cannot call labs: /,
  });
});

test("a library is opened by its path, and what it lacks is named", () => {
  const path = builtLibrary("offheap");
  const library = openLibrary(path, {
    offheap_abi_version: { parameters: [], result: "i32" },
    offheap_aligned_alloc: {
      parameters: ["pointerAsDouble", "f64", "f64"],
      result: "pointerAsDouble",
    },
  });
  assert.equal(library.path, path);
  assert.ok(library.calls.offheap_abi_version() >= 3);
  const missing = {
    none: { parameters: [], result: "void" },
    nor: { parameters: [], result: "i64" },
  };
  assert.throws(() => openLibrary(path, missing as SymbolTable), {
    name: "SymbolError",
    symbols: ["none", "nor"],
  });
  assert.throws(() => openLibrary("/nonexistent/lib.so", {}), { name: "LibraryLoadError" });
});

test("an invalid path or table is refused, with what it must be", () => {
  for (const path of ["", "a\0b", undefined, 5, {}]) {
    assert.throws(() => openLibrary(path as string, {}), {
      name: "TypeError",
      message: /^Cannot open a library: the path must be a path that is not empty, or null; got /,
    });
  }
  const tables: [unknown, RegExp][] = [
    [null, /the table must be an object; got null/],
    [[], /the table must be an object; got \[\]/],
    [{ f: null }, /f must be an object; got null/],
    [{ f: { parameters: [] } }, /the result of f must be one of void, bool, .*; got undefined/],
    [{ f: { parameters: [], result: "int" } }, /the result of f must be one of .*; got 'int'/],
    [{ f: { parameters: [], result: "buffer" } }, /the result of f must be one of /],
    [{ f: { parameters: ["void"], result: "void" } }, /a parameter of f must be one of /],
    [{ f: { parameters: ["toString"], result: "void" } }, /a parameter of f must be one of /],
    [{ f: { parameters: "pointer", result: "void" } }, /the parameters of f must be a list/],
    [
      { f: { arguments: [], return: "void" } },
      /must be one of parameters, result, optional; got 'arg/,
    ],
    [{ f: { parameters: [], result: "void", optional: false } }, /optional of f must be true/],
  ];
  for (const [table, message] of tables) {
    assert.throws(() => openLibrary(null, table as SymbolTable), { name: "TypeError", message });
  }
});

test("an address is a number, and NULL is 0", () => {
  const libc = openLibrary(null, { getenv: { parameters: ["cstring"], result: "pointer" } });
  const nothing: Address = libc.calls.getenv("OFFHEAP_NO_SUCH_VARIABLE");
  assert.equal(nothing, 0);
  assert.ok(libc.calls.getenv("PATH") > 0);
});

test("what is no string is not passed as one", () => {
  const { calls } = openLibrary(null, { strlen: { parameters: ["cstring"], result: "usize" } });
  assert.equal(calls.strlen("für"), 4);
  for (const value of [5, null, undefined, "a\0b", new Uint8Array(1)]) {
    assert.throws(() => calls.strlen(value as string), {
      name: "TypeError",
      message: /^Cannot pass a string to native code: it must be a string without NUL; got /,
    });
  }
});

test("what is no view is not passed as a buffer, and no view whose memory has ended", () => {
  const { calls } = openLibrary(null, {
    strnlen: { parameters: ["buffer", "usize"], result: "usize" },
  });
  const text = new TextEncoder().encode("..text").subarray(2);
  assert.equal(calls.strnlen(text, text.length), 4);
  assert.equal(calls.strnlen(new DataView(text.buffer, 2), 4), 4);
  for (const nothing of [null, new Uint8Array(0)]) assert.equal(calls.strnlen(nothing, 0), 0);
  for (const value of [5, undefined, "text", text.buffer, [1], {}]) {
    assert.throws(() => calls.strnlen(value as unknown as Uint8Array, 0), {
      name: "TypeError",
      message: /^Cannot pass a buffer to native code: it must be a view, or null; got /,
    });
  }
  const memory = openAllocator();
  const block = memory.allocateFrom("text");
  const ended = [block.bytes, block.as(DataView)];
  block.free();
  for (const view of ended) {
    assert.throws(() => calls.strnlen(view, 4), {
      name: "TypeError",
      message:
        "Cannot pass a buffer to native code: it must be a view of memory that has not ended",
    });
  }
  memory.close();
});
