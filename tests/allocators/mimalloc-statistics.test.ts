import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { mimallocFigures } from "../../lib/allocators/mimalloc/json.ts";
import { readOptions } from "../../lib/allocators/mimalloc/options.ts";
import { openMimallocStatistics } from "../../lib/allocators/mimalloc/statistics.ts";
import { compareVersions } from "../../lib/allocators/version-order.ts";
import { openAllocator } from "../../mod.ts";
import { builtLibrary, FIXTURES } from "../support/runtime.ts";

/**
 * What a program was told that had 1,000 blocks of 1,000 bytes, four of 1 MiB, one of 40 MiB, and in
 * a second thread 100 of 3,000; Bun's is that of an empty program with a buffer of 8 MiB. Arrays are
 * left out.
 */
interface Recorded {
  readonly version: string;
  readonly build: string;
  readonly statistics: Readonly<Record<string, unknown>>;
}

const RECORDED: readonly Recorded[] = readFileSync(
  join(FIXTURES, "mimalloc-statistics.jsonl"),
  "utf8",
).trim().split("\n").map((line) => JSON.parse(line));

const MAIN_BYTES = 1000 * 1000 + 44 * 2 ** 20;
const ALL_BYTES = MAIN_BYTES + 100 * 3000;

test("each version of mimalloc has its committed bytes, and no 0 that it did not count", () => {
  assert.ok(RECORDED.length > 50);
  for (const { version, build, statistics } of RECORDED) {
    const what = `${version}, ${build}`;
    const { absent, ...counted } = mimallocFigures(statistics);
    const isBun = build.startsWith("Bun");
    const { committed = 0, mapped = 0 } = counted;
    assert.ok(committed >= (isBun ? 8 << 20 : ALL_BYTES) && mapped >= committed, what);
    for (const [name, value] of Object.entries(counted)) assert.ok(value > 0, `${what}: ${name}`);
    for (const name of ["resident", "retained", "metadata", "dirty", "muzzy"] as const) {
      assert.match(absent[name] ?? "", /does not count it/, `${what}: ${name}`);
    }
  }
});

test("blocks count only where mimalloc counts those of all threads", () => {
  for (const { version, build, statistics } of RECORDED) {
    const what = `${version}, ${build}`;
    const { allocated, active, absent } = mimallocFigures(statistics);
    if (compareVersions(version, "3.5.0") < 0) {
      assert.equal(allocated, undefined, what);
      const uncounted = build.endsWith("=0");
      if (uncounted) assert.match(absent.allocated ?? "", /without MI_STAT/, what);
      assert.match(absent.allocated ?? "", /without MI_STAT|adds a thread's up only when/, what);
      assert.equal(absent.active, absent.allocated, what);
      continue;
    }
    if (build.startsWith("Bun")) assert.ok((allocated ?? 0) > 8 << 20, what);
    // It counts page by page, and is late.
    else assert.ok((allocated ?? 0) > MAIN_BYTES * 0.99 && (allocated ?? 0) <= ALL_BYTES, what);
    assert.ok((active ?? 0) >= (allocated ?? NaN), what);
  }
});

test("threads count from the version on that counts them itself", () => {
  for (const { version, build, statistics } of RECORDED) {
    const { threads, absent } = mimallocFigures(statistics);
    const counts = compareVersions(version, "3.2.7") >= 0;
    const expected = counts ? build.startsWith("Bun") ? 1 : 2 : undefined;
    assert.equal(threads, expected, `${version}, ${build}`);
    assert.equal(absent.threads === undefined, counts);
  }
});

test("one thread's blocks are all blocks", () => {
  const one = RECORDED.find(({ version, build }) => version === "3.4.3" && build.endsWith("=1"));
  const threads = { total: 1, peak: 1, current: 1 };
  const { allocated } = mimallocFigures({ ...one?.statistics, threads });
  assert.equal(allocated, 1024 * 1000 + 44 * 2 ** 20);
});

test("the committed bytes of offheap's own mimalloc follow what is allocated", () => {
  const memory = openAllocator({ allocator: "mimalloc" });
  const statistics = openMimallocStatistics(builtLibrary("mimalloc"));
  const block = memory.allocate(64 << 20);
  block.bytes.fill(1);
  assert.ok((statistics.read().committed ?? 0) >= block.size);
  block.free();
  assert.equal(statistics.purge(), null);
  const delay = () => {
    const options = readOptions(builtLibrary("mimalloc"));
    return options["purge_delay"] ?? options["decommit_delay"];
  };
  const before = delay();
  assert.equal(statistics.decay(7), null);
  assert.equal(delay(), 7);
  assert.equal(statistics.decay(-1), null);
  assert.equal(delay(), before);
  assert.match(String(statistics.readArenas()), /does not count by arena/);
  statistics.close();
  memory.close();
});
