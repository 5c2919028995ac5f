import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { foreign } from "../ffi/mod.ts";
import { type Address, NULL } from "../ffi/types.ts";
import { system } from "../lib/system/mod.ts";
import type { ForeignAddress } from "../lib/system/types.ts";
import {
  checkCounter,
  checkOwnership,
  examine,
  interrogate,
  isVerified,
} from "../lib/verify/evidence.ts";
import { isGlibcHeader } from "../lib/verify/glibc.ts";
import type { AllocatorProbe, BlockSource } from "../lib/verify/probe.ts";
import { mappingEvidence } from "../lib/verify/process.ts";
import type { Evidence } from "../lib/verify/types.ts";
import { skipUnless } from "./support/skip.ts";

const BLOCK = 0x1000_0000 as Address;
const CONTROLS: readonly ForeignAddress[] = [
  { what: "static data", address: 0x2000 as Address },
  { what: "the stack", address: 0x3000 as Address },
];

/** An allocator that is as it should be, but for what a test changes. */
function probe(changes: Partial<AllocatorProbe> = {}): AllocatorProbe {
  return {
    symbol: "fake_version",
    version: () => "1.2.3",
    ownershipQuestion: "fake_owns",
    askableRegion: null,
    owns: (address) => address === BLOCK,
    counterName: "fake_counter",
    counterScope: "thread",
    counterBytes: 1000,
    counter: () => 0n,
    close() {},
    ...changes,
  };
}

interface Blocks extends BlockSource {
  readonly sizes: number[];
  readonly held: Address[];
}

/** A source of blocks at one address, or at those that are given. */
function blockSource(address: (size: number) => Address = () => BLOCK): Blocks {
  const sizes: number[] = [];
  const held: Address[] = [];
  return {
    sizes,
    held,
    allocate(size) {
      sizes.push(size);
      const block = address(size);
      if (block !== NULL) held.push(block);
      return block;
    },
    free(block) {
      assert.equal(held.pop(), block, "what is freed is what is held");
    },
  };
}

test("ownership passes when the block is known and every control denied", () => {
  const blocks = blockSource();
  const { outcome, detail } = checkOwnership(probe(), blocks, CONTROLS);
  assert.equal(outcome, "pass");
  assert.match(detail, /fake_owns owns .* at 0x10000000, and denies static data and the stack$/);
  assert.deepEqual(blocks.held, []);
});

for (const { what, address } of CONTROLS) {
  test(`ownership fails when ${what} is claimed, too`, () => {
    const owns = (asked: Address): boolean => asked === BLOCK || asked === address;
    const { outcome, detail } = checkOwnership(probe({ owns }), blockSource(), CONTROLS);
    assert.equal(outcome, "fail");
    assert.match(detail, new RegExp(`claims ${what}, so its answers prove nothing`));
  });
}

test("ownership fails when the block itself is denied", () => {
  const finding = checkOwnership(probe({ owns: () => false }), blockSource(), CONTROLS);
  assert.equal(finding.outcome, "fail");
  assert.match(finding.detail, /denies the block of 3001 bytes/);
});

test("without anything foreign to ask about, ownership proves nothing", () => {
  const blocks = blockSource();
  assert.equal(checkOwnership(probe({ owns: () => true }), blocks, []).outcome, "unavailable");
  assert.ok(blocks.sizes.length > 1, "blocks in other places are tried");
  assert.deepEqual(blocks.held, []);
});

test("a block that is not given is not asked about, and a larger one is tried", () => {
  const asked: Address[] = [];
  const owns = (address: Address): boolean => {
    asked.push(address);
    return address === BLOCK;
  };
  const blocks = blockSource((size) => size < 1 << 20 ? NULL : BLOCK);
  assert.equal(checkOwnership(probe({ owns }), blocks, CONTROLS).outcome, "pass");
  assert.equal(blocks.sizes.length, 2);
  assert.ok(!asked.includes(NULL));
  const none = blockSource(() => NULL);
  assert.equal(checkOwnership(probe(), none, CONTROLS).outcome, "unavailable");
});

test("a block is freed also when the question throws, and the exception is the outcome", () => {
  const blocks = blockSource();
  const owns = (): boolean => {
    throw new RangeError("cannot be asked");
  };
  const item = examine(
    "process",
    "ownership",
    "unavailable",
    () => checkOwnership(probe({ owns }), blocks, CONTROLS),
  );
  assert.deepEqual(item, {
    scope: "process",
    check: "ownership",
    outcome: "unavailable",
    detail: "cannot be asked",
  });
  assert.deepEqual(blocks.held, []);
});

const REGION = 1 << 20;
const memory = new Uint8Array(4 * REGION);

/** A block in memory of our own, in the middle of an aligned region that has no hole. */
function blockWithoutRoom(): Address {
  const address = foreign().addressOf(memory);
  return (address - address % REGION + 2 * REGION + 4096) as Address;
}

test("with a region, only addresses within it are asked about", () => {
  const block = blockWithoutRoom();
  const asked: Address[] = [];
  const owns = (address: Address): boolean => {
    asked.push(address);
    return address === block;
  };
  const inside = { what: "a neighbour", address: (block + 64) as Address };
  const below = { what: "below", address: (block - 4096 - 1) as Address };
  const above = { what: "above", address: (block - 4096 + REGION) as Address };
  const regional = probe({ owns, askableRegion: REGION });
  const controls = [...CONTROLS, below, inside, above];
  const finding = checkOwnership(regional, blockSource(() => block), controls);
  assert.equal(finding.outcome, "pass", finding.detail);
  assert.match(finding.detail, /denies a neighbour$/);
  assert.deepEqual([...new Set(asked)].sort(), [block, inside.address].sort());
  memory[0] = 1;
});

test("in a region without room and without a control, another block is tried", () => {
  const blocks = blockSource(blockWithoutRoom);
  const all = probe({ owns: () => true, askableRegion: REGION });
  assert.equal(checkOwnership(all, blocks, CONTROLS).outcome, "unavailable");
  assert.equal(blocks.sizes.length, 3);
  assert.deepEqual(blocks.held, []);
  memory[0] = 1;
});

/** The line of this process's maps that holds an address. */
function mappingAt(address: number): string | undefined {
  return readFileSync("/proc/self/maps", "utf8").split("\n").find((line) => {
    const [start = NaN, end = NaN] = line.split(/[- ]/, 2).map((text) => Number.parseInt(text, 16));
    return start <= address && address < end;
  });
}

const maps = () =>
  skipUnless(process.platform === "linux", "only /proc shows what is mapped where");

test(
  "in a region with room, a fresh page beside the block is the control, and then given back",
  maps(),
  () => {
    const span = 1 << 30;
    const wide = foreign().addressOf(memory);
    const base = (wide - wide % span) as Address;
    const asked: Address[] = [];
    const claims = (answer: boolean) => (address: Address): boolean => {
      asked.push(address);
      return answer || address === wide;
    };
    const blocks = blockSource(() => wide);
    const honest = checkOwnership(probe({ owns: claims(false), askableRegion: span }), blocks, []);
    assert.equal(honest.outcome, "pass", honest.detail);
    assert.match(honest.detail, /denies a foreign page at 0x[0-9a-f]+$/);
    const page = asked.find((address) => address !== wide) ?? NULL;
    assert.ok(page >= base && page < base + span);
    assert.equal(mappingAt(page), undefined);
    const liar = checkOwnership(probe({ owns: claims(true), askableRegion: span }), blocks, []);
    assert.equal(liar.outcome, "fail");
    assert.match(liar.detail, /claims a foreign page at/);
    assert.deepEqual(blocks.held, []);
    memory[0] = 1;
  },
);

test("a mapped page lies within the range, and is a page of nobody's", maps(), () => {
  const wide = foreign().addressOf(memory);
  const base = (wide - wide % (1 << 30)) as Address;
  const page = system().mapPageWithin(base, 1 << 30);
  assert.ok(page !== null && page >= base && page < base + (1 << 30));
  assert.match(mappingAt(page) ?? "", /---p 0+ 00:00 0/);
  system().unmapPage(page);
  assert.equal(mappingAt(page), undefined);
  const full = blockWithoutRoom();
  assert.equal(system().mapPageWithin((full - 4096) as Address, REGION), null);
  memory[0] = 1;
});

/** A counter that moves by what `move` makes of the size that was allocated last. */
function counting(
  move: (size: number, attempt: number) => number,
): { probe: AllocatorProbe; blocks: Blocks } {
  const blocks = blockSource();
  let total = 5000n;
  let seen = 0;
  const counter = (): bigint => {
    for (; seen < blocks.sizes.length; seen++) {
      total += BigInt(move(blocks.sizes[seen] ?? 0, seen + 1));
    }
    return total;
  };
  return { probe: probe({ counter }), blocks };
}

test("the counter passes when it moves by the size, or a quarter more", () => {
  for (const factor of [1, 1.25]) {
    const counted = counting((size) => size * factor);
    const { outcome, detail } = checkCounter(counted.probe, counted.blocks);
    assert.equal(outcome, "pass", detail);
    assert.equal(detail, `fake_counter rose by ${1000 * factor} for a block of 1000 bytes`);
    assert.deepEqual(counted.blocks.held, []);
  }
});

test("the counter fails when it stands, falls short by a byte, overshoots, or goes back", () => {
  const moves = [
    () => 0,
    (size: number) => size - 1,
    (size: number) => size * 1.25 + 1,
    (size: number) => size * 3,
    (size: number) => -size,
  ];
  for (const move of moves) {
    const counted = counting(move);
    const { outcome, detail } = checkCounter(counted.probe, counted.blocks);
    assert.equal(outcome, "fail", detail);
    assert.match(detail, new RegExp(`moved by ${move(1000)}, ${move(2000)}, `));
    assert.deepEqual(counted.blocks.sizes, [1000, 2000, 3000, 4000]);
    assert.deepEqual(counted.blocks.held, []);
  }
});

test("other threads may disturb the counter's first three attempts", () => {
  const counted = counting((size, attempt) => attempt < 4 ? size * 9 : size);
  assert.equal(checkCounter(counted.probe, counted.blocks).outcome, "pass");
});

test("a counter without a block to count is unavailable", () => {
  const { outcome, detail } = checkCounter(probe(), blockSource(() => NULL));
  assert.equal(outcome, "unavailable");
  assert.match(detail, /no block of 1000 bytes/);
});

function outcomes(evidence: readonly Evidence[]): Record<string, string> {
  return Object.fromEntries(evidence.map(({ check, outcome }) => [check, outcome]));
}

test("an allocator that may be asked only about its own is asked after its counter has proven it", () => {
  let asked = 0;
  const owns = (): boolean => {
    asked++;
    return true;
  };
  const regional = { owns, askableRegion: REGION };
  const silent = interrogate("process", probe(regional), blockSource(), CONTROLS);
  assert.deepEqual(outcomes(silent), {
    version: "pass",
    counter: "fail",
    ownership: "unavailable",
  });
  assert.equal(asked, 0);
  const throwing = () => {
    throw new RangeError("does not count");
  };
  const uncounted = probe({ ...regional, counter: throwing });
  const without = interrogate("library", uncounted, blockSource(), CONTROLS);
  assert.equal(outcomes(without)["counter"], "unavailable");
  assert.equal(outcomes(without)["ownership"], "unavailable");
  assert.equal(asked, 0);
  const anywhere = interrogate("process", probe({ counter: throwing }), blockSource(), CONTROLS);
  assert.equal(outcomes(anywhere)["ownership"], "pass", "one that answers for all is asked anyway");
});

test("a version that cannot be told speaks against the allocator", () => {
  const version = (): string => {
    throw new RangeError("no version");
  };
  const evidence = interrogate("library", probe({ version }), blockSource(), CONTROLS);
  assert.equal(outcomes(evidence)["version"], "fail");
  assert.ok(evidence.every(({ scope }) => scope === "library"));
});

test("a mapping is evidence for a file that is mapped, and against one that is not", () => {
  const program = mappingEvidence("process", system().executable());
  assert.equal(program.outcome, "pass");
  const nothing = mappingEvidence("library", "/nonexistent/libx.so");
  assert.equal(nothing.outcome, "fail");
  assert.equal(nothing.scope, "library");
  assert.match(nothing.detail, /"\/nonexistent\/libx\.so" is not mapped into this process/);
});

test("verified needs ownership or a counter, and nothing that failed", () => {
  const item = (check: Evidence["check"], outcome: Evidence["outcome"]): Evidence => ({
    scope: "process",
    check,
    outcome,
    detail: "",
  });
  const presence = (["symbol", "version", "owner", "hash", "mapping"] as const)
    .map((check) => item(check, "pass"));
  assert.equal(isVerified([]), false);
  assert.equal(isVerified(presence), false, "presence alone proves nothing");
  for (const check of ["ownership", "counter"] as const) {
    assert.equal(isVerified([item(check, "pass")]), true, check);
    assert.equal(isVerified([...presence, item(check, "pass")]), true, check);
    assert.equal(isVerified([...presence, item(check, "unavailable")]), false, check);
    assert.equal(isVerified([...presence, item(check, "fail")]), false, check);
    assert.equal(isVerified([item(check, "pass"), item("mapping", "unavailable")]), true, check);
    for (const other of ["symbol", "version", "owner", "hash", "mapping"] as const) {
      assert.equal(isVerified([item(check, "pass"), item(other, "fail")]), false, other);
    }
  }
  assert.equal(isVerified([item("ownership", "fail"), item("counter", "pass")]), false);
});

test("glibc's chunk header is told from other words", () => {
  const PAGE = 4096;
  const header = (chunk: number, flags = 1): bigint => BigInt(chunk) | BigInt(flags);
  const cases: readonly [bigint, number, boolean, string][] = [
    [header(112), 100, true, "the smallest chunk that fits"],
    [header(128), 100, true, "a remainder too small for a chunk of its own is kept"],
    [header(96), 100, false, "too small"],
    [header(144), 100, false, "too large"],
    [header(112, 5), 100, true, "in another arena"],
    [header(112, 4), 100, true, "behind a free chunk"],
    [header(120), 100, false, "no multiple of 16"],
    [header(32), 1, true, "the smallest chunk"],
    [header(16), 1, false, "below the smallest chunk"],
    [header(32), 24, true, "the last size of the smallest chunk"],
    [header(32), 25, false, "a byte more"],
    [header(101 * PAGE, 2), 100 * PAGE, true, "mapped for itself"],
    [header(101 * PAGE), 100 * PAGE, false, "as large, but not mapped for itself"],
    [header(102 * PAGE, 2), 100 * PAGE, false, "mapped with a page too many"],
    [0n, 100, false, "nothing"],
    [0x7f00_0000_0000n, 100, false, "a pointer"],
  ];
  for (const [word, size, expected, what] of cases) {
    assert.equal(isGlibcHeader(word, size, PAGE), expected, what);
  }
});

/** A counter that moves by these amounts, one for each block. */
function movingBy(amounts: readonly bigint[]): () => bigint {
  let asked = 0;
  let total = 0n;
  return () => {
    if (asked++ % 2 === 1) total += amounts[((asked >> 1) - 1) % amounts.length] ?? 0n;
    return total;
  };
}

test("a counter of the whole process that other threads move proves nothing, for or against", () => {
  const counter = movingBy([5000n, 7000n, -100n, 20_000n]);
  const busy = checkCounter(probe({ counter, counterScope: "process" }), blockSource());
  assert.equal(busy.outcome, "unavailable");
  assert.match(busy.detail, /other threads/);
  const own = checkCounter(probe({ counter: movingBy([9000n]) }), blockSource());
  assert.equal(own.outcome, "fail", "nobody else moves a thread's own counter");
});

test("a counter of the whole process that does not move at all speaks against the allocator", () => {
  const finding = checkCounter(probe({ counterScope: "process" }), blockSource());
  assert.equal(finding.outcome, "fail");
});
