/**
 * What the collector knows of native memory, and what comes of it, in the runtime that runs this:
 * `process.memoryUsage()` before, with 100 MiB in use and after they were freed, and how much can be
 * dropped without being freed until the collector has found the first of it.
 *
 *     npm run bench:external
 *
 * @module
 */
import process from "node:process";
import { Command } from "commander";
import { type Address, type Allocator, openAllocator } from "../mod.ts";
import { type Collector, findCollector } from "./workloads/support/garbage.ts";

const MIB: number = 2 ** 20;
const TOTAL: number = 100 * MIB;
/** Each drop ends here when nothing was collected. */
const MAX_BYTES: number = 4 * 2 ** 30;
const MAX_BLOCKS = 2_000_000;
const PAGE = 4096;

/** Memory in use, and how it is given back. */
interface Held {
  readonly name: string;
  take(memory: Allocator): () => void;
}

/** One drop of allocations that nobody frees. */
interface Dropped {
  readonly name: string;
  readonly size: number;
  /** Allocates and drops. */
  drop(): void;
  /** Whether one of them was collected. */
  found(): boolean;
}

new Command("npm run bench:external --")
  .description("What the collector knows of native memory, in the runtime that runs this.")
  .parse();
const collect: Collector = findCollector("plain");

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function settle(): Promise<void> {
  for (let i = 0; i < 4; i++) {
    collect();
    await turn();
  }
}

function touch(bytes: Uint8Array): void {
  for (let i = 0; i < bytes.length; i += PAGE) bytes[i] = 1;
}

/** Blocks of one size, all touched. */
function blocks(size: number): Held {
  return {
    name: `blocks of ${label(size)}`,
    take(memory) {
      const all = Array.from({ length: TOTAL / size }, () => memory.allocate(size));
      for (const { bytes } of all) touch(bytes);
      return () => all.forEach((block) => block.free());
    },
  };
}

/** Addresses, whose memory is written to through C's `calloc`. */
function addresses(
  name: string,
  size: number,
  take: (memory: Allocator, size: number) => Address,
  give: (memory: Allocator, address: Address, size: number) => void,
): Held {
  return {
    name: `${name} of ${label(size)}`,
    take(memory) {
      const all = Array.from({ length: TOTAL / size }, () => take(memory, size));
      return () => all.forEach((address) => give(memory, address, size));
    },
  };
}

const HELD: readonly Held[] = [
  {
    name: "Uint8Array of 1 MiB",
    take() {
      const all = Array.from({ length: TOTAL / MIB }, () => new Uint8Array(MIB));
      all.forEach(touch);
      return () => all.splice(0);
    },
  },
  blocks(MIB),
  blocks(4096),
  {
    name: "arena, allocations of 4 KiB",
    take(memory) {
      const arena = memory.arena();
      for (let i = 0; i < TOTAL / 4096; i++) touch(arena.allocate(4096));
      return () => arena.free();
    },
  },
  {
    name: "pool, 100 leases of 1 MiB",
    take(memory) {
      const pool = memory.pool({ blockSize: MIB });
      for (let i = 0; i < 100; i++) touch(pool.acquire().bytes);
      return () => pool.close();
    },
  },
  addresses(
    "raw.calloc",
    MIB,
    ({ raw }, size) => raw.calloc(1, size),
    ({ raw }, address) => raw.free(address),
  ),
  addresses(
    "cached.calloc",
    32_768,
    ({ cached }, size) => cached.calloc(1, size),
    ({ cached }, address, size) => cached.free(address, size),
  ),
];

function dropsOf(memory: Allocator): Dropped[] {
  let collected = 0;
  const registry = new FinalizationRegistry(() => collected++);
  const found = (): boolean => memory.statistics().leaks > 0;
  return [MIB, 65_536, 1024].flatMap((size): Dropped[] => [
    {
      name: `Uint8Array of ${label(size)}`,
      size,
      drop: () => registry.register(new Uint8Array(size).buffer, null),
      found: () => collected > 0,
    },
    { name: `block of ${label(size)}`, size, drop: () => memory.allocate(size), found },
  ]).concat([
    {
      name: "arena with one allocation of 1 KiB",
      size: 65_536,
      drop: () => memory.arena().allocate(1024),
      found,
    },
  ]);
}

function label(size: number): string {
  return size >= MIB ? `${size / MIB} MiB` : `${size / 1024} KiB`;
}

/** Differences in MiB between two measurements. */
function differences(before: NodeJS.MemoryUsage, after: NodeJS.MemoryUsage) {
  const keys = ["external", "arrayBuffers", "heapUsed", "rss"] as const;
  return Object.fromEntries(
    keys.map((key) => [key, Math.round((after[key] - before[key]) / MIB * 10) / 10]),
  );
}

async function measureHeld(): Promise<void> {
  const rows: Record<string, unknown> = {};
  for (const { name, take } of HELD) {
    const memory = openAllocator({ leaks: "off" });
    await settle();
    const before = process.memoryUsage();
    const give = take(memory);
    const live = process.memoryUsage();
    give();
    const after = process.memoryUsage();
    memory.collect();
    await settle();
    const later = process.memoryUsage();
    rows[`${name}: live`] = differences(before, live);
    rows[`${name}: given back`] = differences(before, after);
    rows[`${name}: collected`] = differences(before, later);
    memory.close();
  }
  console.table(rows);
}

/** Drops until the first is found, with a turn of the event loop after each MiB. */
async function measureDrops(): Promise<void> {
  const rows: Record<string, unknown> = {};
  for (let index = 0; index < 7; index++) {
    const memory = openAllocator({ leaks: "off" });
    const dropped = dropsOf(memory)[index];
    if (dropped === undefined) throw new RangeError(`there is no drop ${index}`);
    const { name, size, drop, found } = dropped;
    await settle();
    const before = process.memoryUsage().rss;
    let count = 0;
    const each = Math.max(1, MIB / size);
    while (!found() && count * size < MAX_BYTES && count < MAX_BLOCKS) {
      for (let i = 0; i < each; i++) drop();
      count += each;
      await turn();
    }
    rows[name] = {
      found: found(),
      count,
      MiB: count * size / MIB,
      "rss MiB": Math.round((process.memoryUsage().rss - before) / MIB),
    };
    memory.close();
  }
  console.table(rows);
}

console.log("MiB against the start, of 100 MiB");
await measureHeld();
console.log("Dropped without being freed, until the first was found");
await measureDrops();
