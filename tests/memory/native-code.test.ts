// Memory that goes between offheap and other native code: borrowed, adopted, and allocated by
// libraries that were given an allocator's functions.
import assert from "node:assert/strict";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { inflateSync } from "node:zlib";
import { ffi, runtimeInfo } from "../../ffi/mod.ts";
import { readBytes } from "../../ffi/symbols/memory.ts";
import {
  type Address,
  type Allocator,
  borrow,
  cStringLength,
  nativePointer,
  openAllocator,
  openLibrary,
} from "../../mod.ts";
import { callApi } from "../support/api.ts";
import { copyCheckout } from "../support/checkout.ts";
import { compileShared } from "../support/compile.ts";
import { ROOT, runtimeCommand } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const NAMES = ["jemalloc", "mimalloc", "system"] as const;
const LINUX = process.platform === "linux";
const text = new TextDecoder();

test("borrowed memory is seen as it is, until its use is ended", () => {
  const memory = openAllocator();
  const address = memory.raw.calloc(1, 64);
  const borrowed = borrow(address, 64, { owner: memory });
  assert.deepEqual([borrowed.size, borrowed.address, borrowed.live], [64, address, true]);
  assert.deepEqual(borrowed.pointer, nativePointer(address));
  borrowed.bytes.set([1, 2, 3]);
  assert.deepEqual([...readBytes(address, 4)], [1, 2, 3, 0]);
  const views = [borrowed.bytes, borrowed.as(Float64Array), borrowed.as(Uint16Array, 2, 3)];
  assert.deepEqual(views.map(({ length }) => length), [64, 8, 3]);
  borrowed.end();
  assert.deepEqual(views.map(({ length }) => length), [0, 0, 0]);
  assert.equal(borrowed.bytes.length, 0);
  assert.equal(readBytes(address, 1)[0], 1, "the memory is left as it is");
  const uses = [
    () => borrowed.end(),
    () => borrowed.address,
    () => borrowed.pointer,
    () => borrowed.as(Uint8Array),
  ];
  for (const use of uses) assert.throws(use, { name: "BlockError", reason: "ended" }, String(use));
  borrowed[Symbol.dispose]();
  const empty = borrow(address, 0);
  assert.equal(empty.bytes.length, 0);
  empty[Symbol.dispose]();
  const taken = borrow(address, 64);
  if (taken.buffer.transfer().byteLength === 64) {
    for (const use of [() => taken.end(), () => taken.bytes, () => taken.as(Uint8Array)]) {
      assert.throws(use, { name: "BlockError", reason: "detached" });
    }
  }
  memory.raw.free(address);
  assert.deepEqual(memory.close(), [], "borrowed memory is nobody's leak");
});

const inKoffi = () =>
  skipUnless(ffi().backend === "koffi", "only koffi's buffers are worse than the shim's");

test(
  "borrowed memory is wrapped by the shim before an allocator is open, too, or not at all",
  inKoffi(),
  async () => {
    const copy = copyCheckout();
    mkdirSync(join(copy, "node_modules"));
    symlinkSync(join(ROOT, "node_modules", "koffi"), join(copy, "node_modules", "koffi"));
    const child = join(copy, "tests", "fixtures", "api-child.ts");
    const variables = { XDG_CACHE_HOME: join(copy, "cache") };
    const borrowing = [["borrow", 4096, 8]] as const;
    const [outcome] = await callApi(borrowing, { variables }, runtimeCommand(child));
    assert.equal(outcome?.error?.name, "LibraryLoadError", String(outcome?.error?.message));
  },
);

test("what is no address, size or option is refused before memory is looked at", () => {
  for (const address of [0, -1, 0.5, NaN, 2 ** 60]) {
    assert.throws(() => borrow(address as Address, 8), RangeError);
    assert.throws(() => cStringLength(address as Address), RangeError);
  }
  assert.throws(() => borrow("4096" as never, 8), TypeError);
  for (const size of [-1, 0.5, NaN, 2 ** 48]) {
    assert.throws(() => borrow(4096 as Address, size), RangeError);
  }
  for (const options of [null, 5, { owner: 5 }, { owner: null }, { holder: {} }]) {
    assert.throws(() => borrow(4096 as Address, 8, options as never), TypeError);
  }
});

test("a C string is measured, and copied into a block with its end", () => {
  for (const allocator of NAMES) {
    const memory = openAllocator({ allocator });
    const source = memory.allocateFrom("wörter", { terminated: true });
    assert.equal(cStringLength(source.address), 7);
    const block = memory.blockFrom(source.address, { alignment: 64 });
    assert.deepEqual(block.bytes, source.bytes);
    assert.notEqual(block.address, source.address);
    assert.equal(block.address % 64, 0);
    source.free();
    assert.equal(text.decode(block.bytes), "wörter\0");
    const empty = memory.allocateFrom("", { terminated: true });
    const copy = memory.blockFrom(empty.address);
    assert.deepEqual([...copy.bytes], [0]);
    const endless = memory.allocateFrom("aaaa");
    assert.throws(() => cStringLength(endless.address, 4), {
      name: "RangeError",
      message: /^Cannot measure a C string: it must end within 4 bytes; got none at 0x/,
    });
    assert.throws(() => memory.blockFrom(0 as Address), RangeError);
    for (const each of [block, empty, copy, endless]) each.free();
    if (allocator !== "system") {
      const heap = memory.heap();
      assert.equal(heap.blockFrom(borrowText(memory)).size, 5);
      heap.destroy();
    }
    memory.close();
  }
});

/** The address of a C string that stays until its allocator is closed. */
function borrowText(memory: Allocator): Address {
  return memory.allocateFrom("text", { terminated: true, managed: true }).address;
}

test(
  "a block is adopted with the function that frees it, which is called once",
  skipUnless(LINUX, "it compiles a library for Linux"),
  () => {
    const path = compileShared("other-library.c", "other-library.so");
    const { calls } = openLibrary(path, {
      make: { parameters: ["usize"], result: "pointer" },
      count_freed: { parameters: [], result: "i32" },
      unmaker: { parameters: [], result: "pointer" },
    });
    const free = calls.unmaker();
    let wanted = 0;
    for (const allocator of NAMES) {
      const memory = openAllocator({ allocator, leaks: "off" });
      const ends: Record<string, () => void> = {
        free: () => memory.adopt(calls.make(100), 100, { free }).free(),
        dispose: () => memory.adopt(calls.make(100), 100, { free })[Symbol.dispose](),
        "transfer, claim, free": () =>
          memory.claim(memory.adopt(calls.make(100), 100, { free }).transfer()).free(),
        "close": () => {
          const other = openAllocator({ allocator, leaks: "off" });
          const { bytes } = other.adopt(calls.make(100), 100, { free });
          other.close();
          assert.equal(bytes.length, 0);
        },
      };
      for (const [how, end] of Object.entries(ends)) {
        end();
        assert.equal(calls.count_freed(), ++wanted, `${allocator}: ${how}`);
      }
      const block = memory.adopt(calls.make(100), 100, { free });
      block.bytes.fill(5);
      assert.equal(block.usableSize, 100);
      assert.throws(() => memory.adopt(block.address, 100, { free }), { reason: "in use" });
      assert.throws(() => memory.reallocate(block, 200), {
        name: "BlockError",
        reason: "foreign",
        message: /it was adopted with a function that frees it/,
      });
      const address = block.release();
      assert.equal(calls.count_freed(), wanted, "what was released is the caller's");
      memory.adopt(address, 100, { free }).free();
      wanted++;
      for (const wrong of [0, -1, 0.5, "free", {}]) {
        assert.throws(
          () => memory.adopt(address, 1, { free: wrong } as never),
          /the free function/,
        );
      }
      assert.throws(() => memory.adopt(address, 1, { release: free } as never), TypeError);
      memory.close();
    }
  },
);

test("an allocator's functions are its own, by their addresses", () => {
  for (const allocator of NAMES) {
    const memory = openAllocator({ allocator });
    const { functions } = memory;
    const { withContext, ...plain } = functions;
    const addresses = [...Object.values(plain), ...Object.values(withContext)];
    assert.equal(addresses.length, 11);
    assert.equal(new Set(addresses).size, 11);
    for (const address of addresses) assert.ok(Number.isSafeInteger(address) && address > 0);
    assert.equal(memory.functions, functions);
    memory.adopt(memory.raw.malloc(100), 100, { free: functions.free }).free();
    const other = openAllocator({ allocator });
    assert.deepEqual(other.functions, functions, "the same in every allocator over the library");
    other.close();
    memory.close();
  }
});

/** A library that compresses, and where the fields of its stream are on 64-bit Linux. */
interface Codec {
  /** The stream's size in bytes. */
  readonly bytes: number;
  /** Where the functions and the context begin. */
  readonly functions: number;
  readonly state: number;
  readonly nextIn: number;
  readonly availableIn: number;
  readonly nextOut: number;
  readonly availableOut: number;
  /** 32 bits of what was written. */
  readonly totalOut: number;
  /** What the last step answers. */
  readonly end: number;
  /** The calls of each direction: to begin, to do all at once, to end. */
  readonly pack: readonly [Step, Step, Step];
  readonly unpack: readonly [Step, Step, Step];
}
type Step = (stream: Address) => number;

function openZlib(): Codec {
  const { calls } = openLibrary("libz.so.1", {
    zlibVersion: { parameters: [], result: "pointer" },
    deflateInit_: { parameters: ["pointer", "i32", "cstring", "i32"], result: "i32" },
    deflate: { parameters: ["pointer", "i32"], result: "i32" },
    deflateEnd: { parameters: ["pointer"], result: "i32" },
    inflateInit_: { parameters: ["pointer", "cstring", "i32"], result: "i32" },
    inflate: { parameters: ["pointer", "i32"], result: "i32" },
    inflateEnd: { parameters: ["pointer"], result: "i32" },
  });
  const [bytes, finish] = [112, 4];
  const version = calls.zlibVersion();
  const name = text.decode(readBytes(version, cStringLength(version)));
  return {
    ...{ bytes, functions: 64, state: 56, end: 1 },
    ...{ nextIn: 0, availableIn: 8, nextOut: 24, availableOut: 32, totalOut: 40 },
    pack: [
      (stream) => calls.deflateInit_(stream, 6, name, bytes),
      (stream) => calls.deflate(stream, finish),
      (stream) => calls.deflateEnd(stream),
    ],
    unpack: [
      (stream) => calls.inflateInit_(stream, name, bytes),
      (stream) => calls.inflate(stream, finish),
      (stream) => calls.inflateEnd(stream),
    ],
  };
}

function openBzip2(): Codec {
  const { calls } = openLibrary("libbz2.so.1.0", {
    BZ2_bzCompressInit: { parameters: ["pointer", "i32", "i32", "i32"], result: "i32" },
    BZ2_bzCompress: { parameters: ["pointer", "i32"], result: "i32" },
    BZ2_bzCompressEnd: { parameters: ["pointer"], result: "i32" },
    BZ2_bzDecompressInit: { parameters: ["pointer", "i32", "i32"], result: "i32" },
    BZ2_bzDecompress: { parameters: ["pointer"], result: "i32" },
    BZ2_bzDecompressEnd: { parameters: ["pointer"], result: "i32" },
  });
  const finish = 2;
  return {
    ...{ bytes: 80, functions: 56, state: 48, end: 4 },
    ...{ nextIn: 0, availableIn: 8, nextOut: 24, availableOut: 32, totalOut: 36 },
    pack: [
      (stream) => calls.BZ2_bzCompressInit(stream, 1, 0, 0),
      (stream) => calls.BZ2_bzCompress(stream, finish),
      (stream) => calls.BZ2_bzCompressEnd(stream),
    ],
    unpack: [
      (stream) => calls.BZ2_bzDecompressInit(stream, 0, 0),
      (stream) => calls.BZ2_bzDecompress(stream),
      (stream) => calls.BZ2_bzDecompressEnd(stream),
    ],
  };
}

/** Why a library cannot be tried here; `null` when it can. */
function missing(open: () => Codec): string | null {
  try {
    open();
    return null;
  } catch (error) {
    return String(error).split("\n")[0] ?? "";
  }
}

/** Packs or unpacks by a library that allocates by an allocator's functions. */
function code(
  memory: Allocator,
  codec: Codec,
  [begin, step, end]: Codec["pack"],
  data: Uint8Array,
): Uint8Array {
  const stream = memory.allocate(codec.bytes, { zeroed: true });
  const [input, output] = [memory.allocateFrom(data), memory.allocate(100_000)];
  const fields = stream.as(DataView);
  const { context, calloc, free } = memory.functions.withContext;
  stream.as(BigUint64Array, codec.functions).set([calloc, free, context].map(BigInt));
  assert.equal(begin(stream.address), 0);
  const state = Number(fields.getBigUint64(codec.state, true)) as Address;
  if (memory.name !== "system") assert.ok(memory.owns(state), "its state is the allocator's");
  fields.setBigUint64(codec.nextIn, BigInt(input.address), true);
  fields.setUint32(codec.availableIn, input.size, true);
  fields.setBigUint64(codec.nextOut, BigInt(output.address), true);
  fields.setUint32(codec.availableOut, output.size, true);
  assert.equal(step(stream.address), codec.end);
  const made = output.bytes.slice(0, fields.getUint32(codec.totalOut, true));
  assert.equal(end(stream.address), 0);
  for (const block of [stream, input, output]) block.free();
  return made;
}

const CODECS: readonly [name: string, open: () => Codec, missing: string | null][] = [
  // Node exports functions of a zlib of its own, which the system's zlib would then call.
  [
    "zlib",
    openZlib,
    runtimeInfo().name === "node" ? "Node has another zlib in the way" : missing(openZlib),
  ],
  ["bzip2", openBzip2, missing(openBzip2)],
];
for (const [name, open, reason] of CODECS) {
  test(
    `${name} allocates by an allocator's functions, and what it makes is right`,
    skipUnless(LINUX && reason === null, `needs a ${name} that can be tried: ${reason}`),
    () => {
      const codec = open();
      const data = new TextEncoder().encode("offheap ".repeat(5000));
      for (const allocator of NAMES) {
        const memory = openAllocator({ allocator });
        const packed = code(memory, codec, codec.pack, data);
        assert.ok(packed.length > 0 && packed.length < 2000, `${packed.length}`);
        if (name === "zlib") assert.deepEqual(new Uint8Array(inflateSync(packed)), data);
        assert.deepEqual(code(memory, codec, codec.unpack, packed), data);
        assert.deepEqual(memory.close(), []);
      }
    },
  );
}

test(
  "libraries that pass a context are served, in the forms that are common",
  skipUnless(LINUX, "it compiles a library for Linux"),
  () => {
    const path = compileShared("other-library.c", "other-library.so");
    const pointers = Array<"pointer">(6).fill("pointer");
    const { calls } = openLibrary(path, { try_all: { parameters: pointers, result: "i32" } });
    for (const allocator of NAMES) {
      const memory = openAllocator({ allocator });
      const given = memory.functions.withContext;
      const { context, malloc, calloc, free, alignedMalloc, alignedRealloc } = given;
      memory.close();
      // They are there as long as the process.
      const status = calls.try_all(context, malloc, calloc, free, alignedMalloc, alignedRealloc);
      assert.equal(status, 0, allocator);
    }
  },
);

const SQLITE = {
  sqlite3_config: { parameters: ["i32", "pointer", "i32", "i32"], result: "i32" },
  sqlite3_open: { parameters: ["cstring", "pointer"], result: "i32" },
  sqlite3_exec: {
    parameters: ["pointer", "cstring", "pointer", "pointer", "pointer"],
    result: "i32",
  },
  sqlite3_status: { parameters: ["i32", "pointer", "pointer", "i32"], result: "i32" },
  sqlite3_close: { parameters: ["pointer"], result: "i32" },
} as const;

/** What SQLite calls these, in sqlite3.h. */
const [PAGECACHE, PCACHE_HDRSZ, PAGECACHE_USED, PAGECACHE_OVERFLOW] = [7, 24, 1, 2];

function openSqlite() {
  try {
    return openLibrary("libsqlite3.so.0", SQLITE).calls;
  } catch (error) {
    return String(error).split("\n")[0] ?? "";
  }
}

const sqlite = LINUX ? openSqlite() : "its library has another name here";

test(
  "SQLite takes a block for its page cache",
  skipUnless(typeof sqlite !== "string", `SQLite is not there: ${sqlite}`),
  () => {
    assert.ok(typeof sqlite !== "string");
    const memory = openAllocator();
    const out = memory.allocate(16, { zeroed: true });
    const told = () => out.as(Int32Array)[0] ?? 0;
    assert.equal(sqlite.sqlite3_config(PCACHE_HDRSZ, out.address, 0, 0), 0);
    const size = 4096 + told();
    const cache = memory.allocate(100 * size, { zeroed: true });
    assert.equal(sqlite.sqlite3_config(PAGECACHE, cache.address, size, 100), 0);
    assert.equal(sqlite.sqlite3_open(":memory:", out.address), 0);
    const database = Number(out.as(BigUint64Array)[0]) as Address;
    const none = 0 as Address;
    const table = "create table t(a); insert into t values(zeroblob(100000));";
    assert.equal(sqlite.sqlite3_exec(database, table, none, none, none), 0);
    const status = (what: number): number => {
      assert.equal(sqlite.sqlite3_status(what, out.address, out.address + 8 as Address, 0), 0);
      return told();
    };
    assert.ok(status(PAGECACHE_USED) > 20);
    assert.equal(status(PAGECACHE_OVERFLOW), 0, "nothing had to come from malloc");
    assert.ok(cache.bytes.some((byte) => byte !== 0), "it is in the block");
    assert.equal(sqlite.sqlite3_close(database), 0);
    // SQLite keeps the block as long as the process.
    out.free();
    cache.release();
    memory.close();
  },
);
