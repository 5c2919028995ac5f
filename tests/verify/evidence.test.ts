import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { libcLibrary, PROCESS_MALLOC_SYMBOLS } from "../../ffi/symbols/libc.ts";
import { ffi } from "../../ffi/mod.ts";
import { type Address, NULL } from "../../ffi/types.ts";
import { openOwnMemory } from "../../lib/system/linux-memory.ts";
import { system } from "../../lib/system/mod.ts";
import type { ControlAddress } from "../../lib/system/types.ts";
import {
  checkCounter,
  checkOwnership,
  examine,
  interrogate,
  isVerified,
} from "../../lib/verify/evidence.ts";
import { isGlibcHeader } from "../../lib/allocators/glibc.ts";
import { muslSecret, openMuslProbe } from "../../lib/allocators/musl.ts";
import type { AllocatorProbe, BlockSource } from "../../lib/allocators/probe.ts";
import { mappingEvidence } from "../../lib/verify/process.ts";
import type { Evidence } from "../../lib/verify/types.ts";
import { skipUnless } from "../support/skip.ts";

const BLOCK = 0x1000_0000 as Address;
const CONTROLS: readonly ControlAddress[] = [
  { what: "static data", address: 0x2000 as Address },
  { what: "the stack", address: 0x3000 as Address },
];

/** An allocator that is as it should be, but for what a test changes. */
function probe(changes: Partial<AllocatorProbe> = {}): AllocatorProbe {
  return {
    symbol: "fake_version",
    shimName: "fake",
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

test("without a negative control, ownership proves nothing", () => {
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
  assert.deepEqual(blocks.sizes.slice(0, 2), [3001, 24 << 20]);
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
  const address = ffi().addressOf(memory);
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
    const wide = ffi().addressOf(memory);
    const base = (wide - wide % span) as Address;
    const asked: Address[] = [];
    const claims = (answer: boolean) => (address: Address): boolean => {
      asked.push(address);
      return answer || address === wide;
    };
    const blocks = blockSource(() => wide);
    const honest = checkOwnership(probe({ owns: claims(false), askableRegion: span }), blocks, []);
    assert.equal(honest.outcome, "pass", honest.detail);
    assert.match(honest.detail, /denies a page beside the block at 0x[0-9a-f]+$/);
    const page = asked.find((address) => address !== wide) ?? NULL;
    assert.ok(page >= base && page < base + span);
    assert.equal(mappingAt(page), undefined);
    const liar = checkOwnership(probe({ owns: claims(true), askableRegion: span }), blocks, []);
    assert.equal(liar.outcome, "fail");
    assert.match(liar.detail, /claims a page beside the block at/);
    assert.deepEqual(blocks.held, []);
    memory[0] = 1;
  },
);

test("a mapped page is within the range, and is a page of nobody's", maps(), () => {
  const wide = ffi().addressOf(memory);
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

test("the counter fails when it does not move, falls short by a byte, overshoots, or goes back", () => {
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

test("an unknown version speaks against the allocator", () => {
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
  const presence = (["symbol", "version", "serving-object", "hash", "mapping"] as const)
    .map((check) => item(check, "pass"));
  assert.equal(isVerified([]), false);
  assert.equal(isVerified(presence), false, "presence alone proves nothing");
  for (const check of ["ownership", "counter"] as const) {
    assert.equal(isVerified([item(check, "pass")]), true, check);
    assert.equal(isVerified([...presence, item(check, "pass")]), true, check);
    assert.equal(isVerified([...presence, item(check, "unavailable")]), false, check);
    assert.equal(isVerified([...presence, item(check, "fail")]), false, check);
    assert.equal(isVerified([item(check, "pass"), item("mapping", "unavailable")]), true, check);
    for (const other of ["symbol", "version", "serving-object", "hash", "mapping"] as const) {
      assert.equal(isVerified([item(check, "pass"), item(other, "fail")]), false, other);
    }
  }
  assert.equal(isVerified([item("ownership", "fail"), item("counter", "pass")]), false);
});

test("glibc's chunk header is distinguished from other words", () => {
  const PAGE = 4096;
  const header = (chunk: number, flags = 1): bigint => BigInt(chunk) | BigInt(flags);
  const cases: readonly [bigint, number, boolean, string][] = [
    [header(112), 100, true, "the smallest chunk that fits"],
    [header(128), 100, true, "a remainder too small for a chunk of its own is kept"],
    [header(96), 100, false, "too small"],
    [header(144), 100, false, "too large"],
    [header(112, 5), 100, true, "in another arena"],
    [header(112, 4), 100, true, "after a free chunk"],
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

const SECRET = 0x1122_3344_5566_7788n;

/** Memory as musl's mallocng has it: a group of four blocks of 96 bytes, of which it uses two. */
function muslMemory(): DataView {
  const memory = new DataView(new ArrayBuffer(0x3000 + (1 << 21)));
  memory.setBigUint64(0x1000, SECRET, true); // the area's page begins with the secret
  memory.setBigUint64(0x1010 + 16, 0x2000n, true); // the group's record: its group,
  memory.setUint32(0x1010 + 24, 0b0100, true); // the blocks never used,
  memory.setUint32(0x1010 + 28, 0b0010, true); // the blocks that were freed,
  memory.setBigUint64(0x1010 + 32, 0xfff_ffe3n, true); // the last index, and the rest of the word
  memory.setBigUint64(0x2000, 0x1010n, true); // the group: its record
  for (let index = 0; index < 4; index++) muslHeader(memory, 0x2010 + 96 * index, index);
  return memory;
}

/** The bytes before a block; the three bits above the index count unused bytes at its end. */
function muslHeader(memory: DataView, block: number, index: number): void {
  const offset = (block - 0x2010) / 16;
  const far = offset > 0xffff;
  memory.setUint32(block - 8, far ? offset : 0xdead_beef, true);
  memory.setUint8(block - 4, far ? 1 : 0);
  memory.setUint8(block - 3, index | 0b1010_0000);
  memory.setUint16(block - 2, far ? 0 : offset, true);
}

/** What is found at an address of such memory, where every other address cannot be read. */
function muslFinds(memory: DataView, block: number): bigint | null {
  const read = (address: Address, length: number): DataView | null =>
    address < 0x1000 || address + length > memory.byteLength
      ? null
      : new DataView(memory.buffer, address, length);
  return muslSecret(read, block as Address);
}

test("the record that musl keeps about a block is followed to its secret", () => {
  const found = [0, 1, 2, 3].map((index) => muslFinds(muslMemory(), 0x2010 + 96 * index));
  assert.deepEqual(found, [SECRET, null, null, SECRET], "the second is freed, the third not used");
  const far = muslMemory();
  muslHeader(far, 0x2010 + (1 << 20), 3);
  assert.equal(muslFinds(far, 0x2010 + (1 << 20)), SECRET, "an offset of 32 bits");
  const aligned = muslMemory();
  muslHeader(aligned, 0x2010 + 96 * 3 + 32, 3);
  assert.equal(muslFinds(aligned, 0x2010 + 96 * 3 + 32), SECRET, "a block moved to be aligned");
});

const FOURTH = 0x2010 + 96 * 3;
const MUSL_FAULTS: readonly [what: string, change: (memory: DataView) => void][] = [
  ["another group in the record", (memory) => memory.setBigUint64(0x1010 + 16, 0x2010n, true)],
  ["no record", (memory) => memory.setBigUint64(0x2000, 0n, true)],
  ["a record that cannot be read", (memory) => memory.setBigUint64(0x2000, 0x10n, true)],
  ["a record beyond any address", (memory) => memory.setBigUint64(0x2000, 2n ** 64n - 1n, true)],
  ["an index above the last", (memory) => memory.setUint8(0x1010 + 32, 0xe2)],
  ["a block that is freed", (memory) => memory.setUint32(0x1010 + 28, 0b1000, true)],
  ["a block that is not in use", (memory) => memory.setUint32(0x1010 + 24, 0b1000, true)],
  ["an area without a secret", (memory) => memory.setBigUint64(0x1000, 0n, true)],
  ["another offset", (memory) => memory.setUint16(FOURTH - 2, 19, true)],
  ["an offset before all memory", (memory) => memory.setUint16(FOURTH - 2, 0xffff, true)],
  ["a long offset that needs no length", (memory) => {
    memory.setUint8(FOURTH - 4, 1);
    memory.setUint16(FOURTH - 2, 0, true);
    memory.setUint32(FOURTH - 8, 18, true);
  }],
];

test("whatever does not fit in musl's record is no block of musl's", () => {
  for (const [what, change] of MUSL_FAULTS) {
    const memory = muslMemory();
    assert.equal(muslFinds(memory, FOURTH), SECRET, "before the change");
    change(memory);
    assert.equal(muslFinds(memory, FOURTH), null, what);
  }
  const far = 0x2010 + (1 << 20);
  const twice = muslMemory();
  muslHeader(twice, far, 3);
  twice.setUint16(far - 2, 1, true);
  assert.equal(muslFinds(twice, far), null, "two offsets");
  const shifted = muslMemory();
  muslHeader(shifted, FOURTH + 8, 3);
  shifted.setUint16(FOURTH + 6, 18, true);
  shifted.setBigUint64(0x1010 + 16, 0x2008n, true);
  shifted.setBigUint64(0x2008, 0x1010n, true);
  assert.equal(muslFinds(shifted, FOURTH + 8), null, "an address that no block has");
  for (const address of [0, 8, 16, 0x1000, 2 ** 52]) {
    assert.equal(muslFinds(muslMemory(), address), null, String(address));
  }
});

test("own memory is read where there is some, and nothing is found elsewhere", maps(), () => {
  const memory = openOwnMemory();
  try {
    const bytes = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]);
    const address = ffi().addressOf(bytes);
    assert.equal(memory.read(address, 8)?.getBigUint64(0, true), 0x0807_0605_0403_0201n);
    for (const nowhere of [NULL, 16, 2 ** 47 - 8, 2 ** 52, 2 ** 53, -4096]) {
      assert.equal(memory.read(nowhere as Address, 8), null, String(nowhere));
    }
    const ranges = readFileSync("/proc/self/maps", "utf8").trim().split("\n").map((line) =>
      line.split(/[- ]/, 3)
    );
    const last = ranges.find(([, end, rights], index) =>
      rights?.startsWith("r") && ranges[index + 1]?.[0] !== end
    );
    const end = Number.parseInt(last?.[1] ?? "", 16);
    assert.notEqual(memory.read((end - 4) as Address, 4), null);
    assert.equal(memory.read((end - 4) as Address, 8), null, "only half of it is there");
    assert.equal(bytes[0], 1, "still held");
  } finally {
    memory.close();
  }
});

const onMusl = () => skipUnless(system().libc().name === "musl", "the C library is not musl");

test("musl owns its blocks of each size and alignment, and none of what is not", onMusl(), () => {
  const { calls } = ffi().open(libcLibrary(), {
    ...PROCESS_MALLOC_SYMBOLS,
    aligned_alloc: { parameters: ["usize", "usize"], result: "pointer" },
  });
  const musl = openMuslProbe();
  const blocks = [1, 16, 100, 3001, 100_000, 1 << 20, 24 << 20].flatMap((size) => [
    calls.malloc(size),
    ...[32, 4096, 1 << 21].map((alignment) => calls.aligned_alloc(alignment, size)),
  ]);
  for (const block of blocks) {
    assert.ok(musl.owns(block, 1));
    assert.ok(!musl.owns((block + 8) as Address, 1));
  }
  for (const { what, address } of system().controlAddresses()) {
    assert.ok(!musl.owns(address, 1), what);
  }
  for (const address of [NULL, 16, 4096, ffi().addressOf(memory)]) {
    assert.ok(!musl.owns(address as Address, 1), String(address));
  }
  const large = blocks.at(-1) ?? NULL;
  for (const block of blocks) calls.free(block);
  assert.ok(!musl.owns(large, 1), "its mapping is gone");
  musl.close();
  memory[0] = 1;
});

const onGlibc = () => skipUnless(system().libc().name === "glibc", "the C library is not glibc");

test("a malloc that is laid out otherwise gives musl's probe no answer", onGlibc(), () => {
  const musl = openMuslProbe();
  const item = examine(
    "process",
    "ownership",
    "unavailable",
    () => checkOwnership(musl, blockSource(() => ffi().addressOf(memory)), CONTROLS),
  );
  musl.close();
  assert.equal(item.outcome, "unavailable");
  assert.match(item.detail, /^a fresh block is not laid out as by musl's mallocng/);
  memory[0] = 1;
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

test("a counter of the whole process that moves by something else proves nothing, for or against", () => {
  const counter = movingBy([5000n, 7000n, -100n, 20_000n]);
  const busy = checkCounter(probe({ counter, counterScope: "process" }), blockSource());
  assert.equal(busy.outcome, "unavailable");
  assert.match(busy.detail, /moved by 5000, 7000, .* says nothing of a single block/);
  const own = checkCounter(probe({ counter: movingBy([9000n]) }), blockSource());
  assert.equal(own.outcome, "fail", "nobody else moves a thread's own counter");
});

test("a counter of the whole process that does not move proves nothing: memory may be committed", () => {
  const finding = checkCounter(probe({ counterScope: "process" }), blockSource());
  assert.equal(finding.outcome, "unavailable");
  assert.equal(checkCounter(probe({ counterScope: "thread" }), blockSource()).outcome, "fail");
});

test("blocks of every size are to be owned by one that may be asked about any address", () => {
  const small = 0x5000 as Address;
  const source = () => blockSource((size) => size < 2048 ? small : BLOCK);
  const { outcome, detail } = checkOwnership(probe(), source(), CONTROLS);
  assert.equal(outcome, "fail");
  assert.match(detail, /fake_owns denies a block of 1 bytes, and owns another/);
  const both = probe({ owns: (address) => address === BLOCK || address === small });
  const blocks = source();
  assert.equal(checkOwnership(both, blocks, CONTROLS).outcome, "pass");
  assert.deepEqual([...blocks.sizes].sort((a, b) => a - b), [
    1,
    16,
    100,
    1000,
    2047,
    3001,
    16384,
    1 << 20,
  ]);
  assert.deepEqual(blocks.held, []);
});
