import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { MALLCTL_KEYS, MALLCTL_WRITABLE_KEYS } from "../../lib/allocators/jemalloc/keys.ts";
import { type Mallctl, mallctl, MallctlError, openAllocator, openMallctl } from "../../mod.ts";
import { builtLibrary, FIXTURES, runChild, runtimeCommand } from "../support/runtime.ts";

/** The numbers that keys without a meaning here fail by: no such key, no such index, no value yet. */
const ENOENT = 2;

function readOrErrno(namespace: Mallctl, key: keyof typeof MALLCTL_KEYS): unknown {
  try {
    return namespace.read(key, 0, 0);
  } catch (error) {
    assert.ok(error instanceof MallctlError, String(error));
    return error.errno;
  }
}

test("every key of the table has the type that this jemalloc says, or is one that it does not have", () => {
  const types: Readonly<Record<string, string>> = {
    string: "string",
    bool: "boolean",
    unsigned: "number",
    u32: "number",
    size: "number",
    ssize: "number",
    i64: "bigint",
    u64: "bigint",
  };
  const missing: string[] = [];
  for (const [key, type] of Object.entries(MALLCTL_KEYS)) {
    const name = key as keyof typeof MALLCTL_KEYS;
    try {
      // A value of another size would be refused with EINVAL.
      assert.equal(typeof mallctl.read(name), types[type], key);
    } catch (error) {
      assert.ok(error instanceof MallctlError && error.errno === ENOENT, `${key}: ${error}`);
      missing.push(key);
    }
  }
  // Those that only some versions, or builds with profiling in use, have.
  assert.ok(missing.length < 12, missing.join());
});

test("what is counted is up to date at each reading", () => {
  const memory = openAllocator({ allocator: "jemalloc" });
  const before = mallctl.read("stats.allocated");
  const block = memory.allocate(32 << 20);
  const during = mallctl.read("stats.allocated");
  // Small blocks that jemalloc caches for the thread come and go besides.
  assert.ok(Math.abs(during - before - block.size) < block.size * 0.01, `${during - before}`);
  const { "stats.allocated": allocated, "stats.active": active } = mallctl.readAll([
    "stats.allocated",
    "stats.active",
  ]);
  assert.ok(allocated >= block.size && active >= allocated);
  block.free();
  memory.collect();
  assert.ok(mallctl.read("stats.allocated") < during);
  memory.close();
});

test("arenas and size classes are read by their numbers", () => {
  const namespace = openMallctl();
  const bins = namespace.read("arenas.nbins");
  const sizes = Array.from(
    { length: bins },
    (_, bin) => namespace.read("arenas.bin.<i>.size", bin),
  );
  assert.deepEqual(sizes, sizes.toSorted((a, b) => a - b));
  assert.ok(bins > 10 && sizes[0] === 8, sizes.join());
  const curregs = sizes.map((size, bin) =>
    size * namespace.read("stats.arenas.<i>.bins.<j>.curregs", 4096, bin)
  );
  assert.equal(
    curregs.reduce((sum, bytes) => sum + bytes, 0),
    namespace.read("stats.arenas.<i>.small.allocated", 4096),
  );
  assert.throws(() => namespace.read("stats.arenas.<i>.mapped", 4000), {
    name: "MallctlError",
    key: "stats.arenas.4000.mapped",
    errno: ENOENT,
  });
});

test("keys are written by their types, and read back", () => {
  const before = mallctl.read("arena.<i>.dirty_decay_ms", 0);
  mallctl.write("arena.<i>.dirty_decay_ms", 4321, 0);
  assert.equal(mallctl.read("arena.<i>.dirty_decay_ms", 0), 4321);
  mallctl.write("arena.<i>.dirty_decay_ms", before, 0);
  mallctl.write("thread.tcache.enabled", false);
  assert.equal(mallctl.read("thread.tcache.enabled"), false);
  mallctl.write("thread.tcache.enabled", true);
  assert.equal(mallctl.read("thread.tcache.enabled"), true);
  const dss = mallctl.read("arena.<i>.dss", 0);
  mallctl.write("arena.<i>.dss", "disabled", 0);
  assert.equal(mallctl.read("arena.<i>.dss", 0), "disabled");
  mallctl.write("arena.<i>.dss", dss, 0);
  mallctl.run("arena.<i>.purge", 4096);
  assert.equal(mallctl.read("stats.arenas.<i>.pdirty", 4096), 0);
});

test("an unknown key, and a value or a number that is wrong, never come to jemalloc", () => {
  const call = (name: keyof Mallctl, ...args: unknown[]) => () =>
    Reflect.apply(mallctl[name], mallctl, args);
  const cases: readonly (readonly [() => unknown, string, RegExp])[] = [
    [call("read", "stats.nothing"), "RangeError", /the key must be one that is read; got/],
    [call("read", "toString"), "RangeError", /one that is read; got 'toString'/],
    [call("read", 1), "TypeError", /one that is read; got 1/],
    [call("read", "stats.arenas.<i>.mapped", -1), "RangeError", /from 0 to 4096; got -1/],
    [call("read", "stats.arenas.<i>.mapped", "0"), "TypeError", /from 0 to 4096; got '0'/],
    [call("write", "stats.allocated", 1), "RangeError", /one that is written/],
    [call("write", "background_thread", 1), "TypeError", /must be true or false; got 1/],
    [call("write", "arenas.dirty_decay_ms", -2), "RangeError", /at least -1; got -2/],
    [call("write", "arenas.dirty_decay_ms", 1n), "TypeError", /at least -1; got 1n/],
    [call("write", "prof.prefix", "a\0b"), "RangeError", /text without NUL/],
    [call("run", "arena.<i>.reset", 0), "RangeError", /one that is run; got 'arena.<i>.reset'/],
  ];
  for (const [attempt, name, message] of cases) assert.throws(attempt, { name, message });
  assert.ok(!Object.hasOwn(MALLCTL_WRITABLE_KEYS, "thread.arena"));
  assert.equal(readOrErrno(mallctl, "stats.allocated") === 0, false);
});

test("in a process that jemalloc serves, the namespace is that one's", async () => {
  const { stdout, stderr } = await runChild(runtimeCommand(join(FIXTURES, "process-memory.ts")), {
    variables: { LD_PRELOAD: builtLibrary("jemalloc", "preload"), MALLOC_CONF: "narenas:3" },
  });
  assert.equal(JSON.parse(stdout || stderr).narenas, 3);
});
