/**
 * The model: what an allocator must have given out so far.
 *
 * @module
 */
import assert from "node:assert/strict";
import { inspect } from "node:util";
import type { ArenaMark } from "../../../lib/memory/arena/arena.ts";
import {
  type Address,
  type Allocator,
  type Arena,
  type Block,
  type BlockErrorReason,
  type BlockHandle,
  type Heap,
  type LeakReport,
  type Lease,
  openAllocator,
  type OpenOptions,
  type Pool,
} from "../../../mod.ts";
import { Account } from "./account.ts";
import type { Operation, Program } from "./operation.ts";
import { Ranges } from "./ranges.ts";

/** A piece of memory: filled with the pattern of its number. */
export interface Piece {
  readonly id: number;
  address: Address;
  size: number;
}

/** A block. */
export interface HeldBlock extends Piece {
  readonly block: Block;
  /** The alignment that it keeps. */
  readonly alignment: number;
  /** Views that end with it, or when it is resized. */
  views: ArrayBufferView[];
}

/** What blocks are of. */
export interface Owner {
  readonly source: Allocator | Heap;
  readonly blocks: HeldBlock[];
}

/** A heap. */
export interface HeldHeap extends Owner {
  readonly source: Heap;
}

/** A block that has ended. */
export interface EndedBlock {
  readonly block: Block;
  readonly reason: BlockErrorReason;
}

/** Memory by its address alone. */
export interface Cell extends Piece {
  readonly via: "cached" | "raw";
}

/** A block that nobody has claimed. */
export interface Ticket extends Piece {
  readonly handle: BlockHandle;
  readonly alignment: number;
}

/** An allocation in an arena. */
export interface ArenaPiece extends Piece {
  readonly view: ArrayBufferView;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A mark, and what there was when it was set. */
export interface HeldMark {
  readonly mark: ArenaMark;
  readonly pieces: number;
}

/** An arena. */
export interface HeldArena {
  readonly arena: Arena;
  readonly pieces: ArenaPiece[];
  readonly marks: HeldMark[];
  /** Marks that have ended. */
  readonly stale: ArenaMark[];
  chunks: number;
  capacity: number;
  peak: number;
}

/** A lease. */
export interface HeldLease extends Piece {
  readonly lease: Lease;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A caller that waits for a lease, and how that ended. */
export interface Waiter {
  readonly controller: AbortController;
  lease?: Lease;
  error?: unknown;
}

/** A pool. */
export interface HeldPool {
  readonly pool: Pool;
  readonly blockSize: number;
  readonly alignment: number;
  readonly max: number;
  readonly strict: boolean;
  readonly zeroed: boolean;
  readonly leases: HeldLease[];
  /** Leases that were given away. */
  readonly away: Ticket[];
  readonly waiting: Waiter[];
  /** Where idle blocks are known to be, and how many others are idle. */
  readonly idle: Set<number>;
  elsewhere: number;
  granted: number;
  allocations: number;
}

/** The most memory in use at a time. */
const MAX_LIVE: number = 32 * 2 ** 20;

/**
 * mimalloc 2 keeps no account of its memory above 20 TiB. It asks the system for addresses below
 * that, but gets others when something else is in the way: some blocks in a million.
 */
const MAX_KNOWN: number = 20 * 2 ** 40;

/** An allocator beside what the model says of it. */
export class World {
  readonly memory: Allocator;
  readonly debug: boolean;
  readonly leaks: LeakReport[] = [];
  readonly ranges: Ranges = new Ranges();
  readonly account: Account;
  readonly own: Owner;
  readonly heaps: HeldHeap[] = [];
  readonly ended: EndedBlock[] = [];
  readonly cells: Cell[] = [];
  readonly tickets: Ticket[] = [];
  readonly arenas: HeldArena[] = [];
  readonly pools: HeldPool[] = [];
  /** Leases that nobody has claimed. */
  unclaimed = 0;
  /** Bytes in cells, which no statistics count. */
  uncounted = 0;
  readonly #unclaimed: number;
  #ids = 0;

  /** Opens an allocator for a program. */
  constructor(options: OpenOptions, { debug, leaks }: Program) {
    const onLeak = (leak: LeakReport): unknown => this.leaks.push(leak);
    this.memory = openAllocator({ ...options, debug, leaks, onLeak });
    this.debug = debug;
    this.own = { source: this.memory, blocks: [] };
    const statistics = this.memory.statistics();
    this.account = new Account(statistics);
    this.#unclaimed = statistics.unclaimed;
  }

  /** A piece's number. */
  nextId(): number {
    return this.#ids++;
  }

  /** Whether so much more may be allocated. */
  hasRoom(bytes: number): boolean {
    return this.account.bytes + this.uncounted + bytes <= MAX_LIVE;
  }

  /** Whether the allocator has to know that an address is its own. */
  knows(address: Address): boolean {
    const { name, version } = this.memory;
    return name !== "mimalloc" || version?.startsWith("2.") === false || address < MAX_KNOWN;
  }

  /** Keeps a block that has ended, to be misused. */
  bury(block: Block, reason: BlockErrorReason): void {
    this.ended.push({ block, reason });
    if (this.ended.length > 16) this.ended.shift();
  }

  /** The statistics are what the model says, to the byte. */
  requireAccount(): void {
    const { blocks, bytes, peakBytes, allocations } = this.account;
    const unclaimed = this.#unclaimed + this.tickets.length + this.unclaimed;
    const found = this.memory.statistics();
    const same = found.blocks === blocks && found.bytes === bytes && found.leaks === 0 &&
      found.peakBytes === peakBytes && found.allocations === allocations &&
      found.unclaimed === unclaimed;
    if (same) return;
    const lost = { lostBlocks: found.lostBlocks, lostBytes: found.lostBytes };
    const wanted = { blocks, bytes, peakBytes, allocations, leaks: 0, unclaimed, ...lost };
    assert.deepEqual(found, wanted, "statistics");
  }
}

/** One of what there is, by a number. */
export function pickFrom<T>(list: readonly T[], pick: number): T | undefined {
  return list[list.length - 1 - pick % list.length];
}

/** The same, taken out. */
export function takeFrom<T>(list: T[], pick: number): T | undefined {
  return list.splice(list.length - 1 - pick % list.length, 1)[0];
}

/** What a refusal must be. */
export function requireRefusal(name: string, reason: string | undefined, use: () => unknown): void {
  let result;
  try {
    result = use();
  } catch (error) {
    assert.ok(error instanceof Error);
    const found = { name: error.name, reason: Reflect.get(error, "reason") };
    if (found.name === name && found.reason === reason) return;
    throw new Error(`${use} was to be refused as ${name} ${reason}`, { cause: error });
  }
  assert.fail(`${use} was to be refused as ${name} ${reason}; it gave ${inspect(result)}`);
}

/** Does one operation; whether there was anything to do. */
export type Step = (world: World, operation: Operation) => boolean | Promise<boolean>;

/** Operations by their names, and how often each comes up. */
export type Steps = Readonly<Record<string, readonly [weight: number, step: Step]>>;
