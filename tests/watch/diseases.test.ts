import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { system } from "../../lib/system/mod.ts";
import type { MemoryReport, MemoryVerdict } from "../../lib/watch/doctor/memory/types.ts";
import { withChild } from "../support/child.ts";
import { compileShared } from "../support/compile.ts";
import { THOROUGH } from "../support/effort.ts";
import { builtLibrary, FIXTURES, runtimeCommand } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const IS_GLIBC = process.platform === "linux" && system().libc().name === "glibc";
const glibc = () => skipUnless(IS_GLIBC, "needs Linux with glibc, whose counters are read");

/** How long growth is watched for: long enough for thirty looks. */
const WATCH = 3000;
/** A runtime that has just started still grows for some seconds. */
const SETTLING = 10_000;

/**
 * How each allocator is put into the program; jemalloc keeps what it can, as glibc does, but in the
 * healthy one: what is never given back is held back.
 */
const ALLOCATORS: Readonly<Record<string, Readonly<Record<string, string | undefined>>>> = {
  glibc: { LD_PRELOAD: undefined },
  jemalloc: {
    LD_PRELOAD: IS_GLIBC ? builtLibrary("jemalloc", "preload") : undefined,
    MALLOC_CONF: "dirty_decay_ms:-1,muzzy_decay_ms:-1,narenas:16",
  },
};

interface Case {
  readonly disease: string;
  readonly verdict: MemoryVerdict;
  readonly watch?: number;
  readonly purge?: boolean;
  /** Whether it has nothing to do with the allocator: on a push it is tried under glibc alone. */
  readonly ofRuntime?: boolean;
  /** Something else that the report must have. */
  readonly also?: (report: MemoryReport) => void;
}

const CASES: readonly Case[] = [
  {
    disease: "healthy",
    verdict: "healthy",
    watch: SETTLING,
    also: ({ parts, resident }) => {
      const sum = Object.values(parts).reduce<number>((total, part) => total + (part ?? 0), 0);
      assert.equal(sum, resident, "its parts add up to resident memory");
    },
  },
  { disease: "native leak", verdict: "native growth", watch: WATCH },
  { disease: "JavaScript leak", verdict: "JavaScript heap growth", watch: WATCH, ofRuntime: true },
  { disease: "buffers kept", verdict: "JavaScript heap growth", watch: WATCH, ofRuntime: true },
  { disease: "burst", verdict: "held back after a burst" },
  {
    disease: "burst",
    verdict: "held back after a burst",
    purge: true,
    also: ({ purge }) => {
      assert.equal(purge?.refused, null);
      const back = (purge?.residentBefore ?? 0) - (purge?.residentAfter ?? 0);
      assert.ok(back > 128 * 2 ** 20, `${back} came back`);
    },
  },
  // glibc does not count pages: only a purge tells it from what is held back.
  { disease: "fragmentation", verdict: "fragmentation", purge: true },
  { disease: "arenas", verdict: "thread arenas" },
];

const library = IS_GLIBC ? compileShared("diseases.c", "libdiseases.so") : "";

/** What the program finds of itself, and what the kernel then says that it has in huge pages. */
interface Diagnosed {
  readonly report: MemoryReport;
  readonly hugePages: number;
}

async function diagnosed(
  disease: string,
  allocator: string,
  { watch = 0, purge = false }: { readonly watch?: number; readonly purge?: boolean },
): Promise<Diagnosed> {
  const script = join(FIXTURES, "diseases.ts");
  const [command, ...args] = runtimeCommand(script, disease, library);
  const healthy = disease === "healthy" ? { MALLOC_CONF: undefined } : {};
  const env = { MALLOC_CONF: undefined, ...ALLOCATORS[allocator], ...healthy };
  return await withChild(command, args, { env }, async ({ pid, ask, output }) => {
    await ask(JSON.stringify({ watch, purge }));
    const line = output().split("\n").find((text) => text.startsWith('{"report"')) ?? "";
    const { report } = JSON.parse(line) as { readonly report: MemoryReport };
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    return { report, hugePages: Number(/^AnonHugePages:\s*(\d+) kB$/m.exec(rollup)?.[1]) * 1024 };
  });
}

for (const allocator of Object.keys(ALLOCATORS)) {
  for (const { disease, verdict, watch = 0, purge = false, ofRuntime, also } of CASES) {
    if (ofRuntime && allocator !== "glibc" && !THOROUGH) continue;
    const how = purge ? " after a purge" : "";
    test(`under ${allocator} "${disease}" is found to be "${verdict}"${how}`, glibc(), async () => {
      const { report } = await diagnosed(disease, allocator, { watch, purge });
      const all = JSON.stringify(report, null, 1);
      // What is not collected for as long as it is watched is no certain growth.
      const isYoung = verdict === "healthy" && report.verdict === "cannot tell";
      assert.ok(report.verdict === verdict || isYoung, all);
      also?.(report);
    });
  }
}

/** The kernel may give this machine's programs no huge pages, or have none left. */
const underGlibc = IS_GLIBC ? await diagnosed("huge pages", "glibc", {}) : null;
const HUGE = skipUnless(
  (underGlibc?.hugePages ?? 0) > 64 * 2 ** 20,
  "this kernel gives no transparent huge pages",
);

for (const allocator of Object.keys(ALLOCATORS)) {
  test(`under ${allocator} huge pages that nobody counts are found`, HUGE, async () => {
    const { report } = allocator === "glibc" && underGlibc !== null
      ? underGlibc
      : await diagnosed("huge pages", allocator, {});
    assert.equal(report.verdict, "huge pages", JSON.stringify(report, null, 1));
  });
}
