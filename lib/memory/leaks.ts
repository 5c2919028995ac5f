/**
 * Which allocations record their stack, and how leaks are reported.
 *
 * @module
 */
import process from "node:process";
import { readVariable } from "../environment.ts";
import { requireOneOf } from "../options.ts";
import type { AllocatorName } from "../allocators/mod.ts";
import { blockSampling } from "./blocks/sampling.ts";
import { type Callee, captureStack } from "./stack.ts";

/**
 * What is watched: with `sampled` one allocation in 128 records the stack that it was made on, with
 * `all` each one does, which costs tens of microseconds; only these are reported. Memory that is
 * dropped is freed at every level.
 *
 * @example
 * ```ts
 * import { type LeakLevel, openAllocator } from "@offheap/offheap";
 *
 * const level: LeakLevel = "off";
 * const memory = openAllocator({ leaks: level });
 * memory.allocate(100);
 * console.log(memory.close().map(({ kind, size }) => `${kind} of ${size} bytes`).join());
 * ```
 */
export type LeakLevel = "off" | "sampled" | "all";

/** Every {@linkcode LeakLevel}. */
export const LEAK_LEVELS: readonly LeakLevel[] = ["off", "sampled", "all"];

/** What a leak was allocated as. */
export type LeakKind = "block" | "arena" | "heap" | "pool block";

/**
 * Memory that was dropped without being freed, or was still in use when its allocator was closed.
 *
 * @example
 * ```ts
 * import { type LeakReport, openAllocator } from "@offheap/offheap";
 *
 * const onLeak = ({ kind, size, stack }: LeakReport) => console.log(kind, size, stack !== null);
 * const memory = openAllocator({ leaks: "all", onLeak });
 * memory.allocate(100);
 * memory.close();
 * ```
 */
export interface LeakReport {
  /** What it was allocated as. */
  readonly kind: LeakKind;
  /** Its size in bytes; of an arena, that of its chunks. */
  readonly size: number;
  /** The allocator that it came from. */
  readonly allocator: AllocatorName;
  /**
   * How it was noticed: by the garbage collector, or when the allocator was closed; `unclaimed` is a
   * block that was transferred, and that no thread had claimed by then. It stays allocated.
   */
  readonly noticed: "collected" | "closed" | "unclaimed";
  /** The stack of its allocation, a line a frame; `null` for one that was not sampled. */
  readonly stack: string | null;
}

/** The environment variable for the level, where the program does not say. */
const LEAKS_VARIABLE = "OFFHEAP_LEAKS";

/** With `sampled`, one allocation in so many records its stack: the rate of Netty's detector. */
const SAMPLE = 128;

/** How many frames are recorded. A frame costs 1 to 6 µs, so that sampling records few. */
const FRAMES: Readonly<Record<LeakLevel, number>> = { off: 0, sampled: 4, all: 16 };

/** How many leaks one warning lists. */
const SHOWN = 5;

/** Finds out the level: the option, then the variable, then `sampled`. */
export function leakLevel(option: LeakLevel | undefined): LeakLevel {
  const action = "open an allocator";
  if (option !== undefined) return requireOneOf(action, "leaks", option, LEAK_LEVELS);
  const variable = readVariable(LEAKS_VARIABLE);
  return variable === undefined
    ? "sampled"
    : requireOneOf(action, LEAKS_VARIABLE, variable, LEAK_LEVELS);
}

/** What a leak was. */
export interface Leak {
  /** What it was allocated as. */
  readonly kind: LeakKind;
  /** Its size in bytes. */
  readonly size: number;
  /** Where it was allocated, when that was sampled. */
  readonly trace: string | null;
}

/** Records stacks by the level, and reports leaks. */
export class LeakTracker {
  readonly #allocator: AllocatorName;
  readonly #level: LeakLevel;
  readonly #onLeak: ((leak: LeakReport) => void) | undefined;
  /** Leaks that were noticed by the garbage collector, reported or not. */
  count = 0;

  /** Makes the tracker of one allocator. */
  constructor(
    allocator: AllocatorName,
    level: LeakLevel,
    onLeak: ((leak: LeakReport) => void) | undefined,
  ) {
    this.#allocator = allocator;
    this.#level = level;
    this.#onLeak = onLeak;
  }

  /**
   * The stack of an allocation that is to be watched, else `null`. It begins with the caller of the
   * method that the user knows, which is found by the method itself and not by a file's name: a
   * bundler changes that, and a user may have one of the same name.
   *
   * @param method The user's method. It must be on the stack: JavaScriptCore takes a function off
   * that returns the result of a call, so such a method must not return the call that leads here.
   */
  trace(method: Callee): string | null {
    blockSampling()?.expect(method);
    const level = this.#level;
    if (level === "off") return null;
    if (level === "sampled" && Math.random() * SAMPLE >= 1) return null;
    return captureStack(FRAMES[level], method);
  }

  /** A leak that the garbage collector has found: reported when its stack was recorded. */
  collected(leak: Leak): void {
    this.count++;
    if (leak.trace !== null) this.#report(this.describe(leak, "collected"));
  }

  /** Reports what was open when the allocator was closed. */
  closed(open: readonly LeakReport[]): void {
    this.#reportAll(open, (bytes) => {
      const shown = open.slice(0, SHOWN).map((leak) => `\n  ${sentence(leak)}`);
      const more = open.length > shown.length ? `\n  And ${open.length - shown.length} more.` : "";
      const untold = this.#level === "sampled" && open.some(({ stack }) => stack === null);
      const hint = untold ? `\n${LEAKS_VARIABLE}=all shows where each was allocated.` : "";
      return ` with ${bytes} bytes still in use (allocations: ${open.length}). They were freed, and ` +
        `their views detached:${shown.join("")}${more}${hint}`;
    });
  }

  /** Reports blocks that were transferred, and that nobody has claimed when the allocator is closed. */
  unclaimed(sizes: readonly number[]): LeakReport[] {
    const reports = sizes.map((size) =>
      this.describe({ kind: "block", size, trace: null }, "unclaimed")
    );
    this.#reportAll(
      reports,
      (bytes) =>
        `, and no thread has claimed ${bytes} bytes that were transferred (blocks: ` +
        `${sizes.length}). They stay allocated until somebody claims them by their handles.`,
    );
    return reports;
  }

  /** What callers see of a leak. */
  describe({ kind, size, trace }: Leak, noticed: LeakReport["noticed"]): LeakReport {
    return { kind, size, allocator: this.#allocator, noticed, stack: trace };
  }

  /** Reports what is noticed when the allocator is closed: each to the hook, else one warning. */
  #reportAll(leaks: readonly LeakReport[], rest: (bytes: number) => string): void {
    if (this.#level === "off" || leaks.length === 0) return;
    if (this.#onLeak !== undefined) return leaks.forEach((leak) => this.#report(leak));
    const bytes = leaks.reduce((sum, { size }) => sum + size, 0);
    warn(`The ${this.#allocator} allocator was closed${rest(bytes)}`);
  }

  #report(leak: LeakReport): void {
    if (this.#onLeak === undefined) {
      return warn(
        `${sentence(leak)}\nIt was freed when it was collected. Free it where it is no longer ` +
          "used, or declare it with using. There may be many like it: OFFHEAP_LEAKS=all shows each.",
      );
    }
    try {
      this.#onLeak(leak);
    } catch (error) {
      // What a hook throws is its own affair: it must not leave what is being freed half done.
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}

function sentence({ kind, size, stack }: LeakReport): string {
  const where = stack === null || stack === ""
    ? ""
    : ` It was allocated\n    ${stack.replaceAll("\n", "\n    ")}\n `;
  const article = /^[aeiou]/.test(kind) ? "An" : "A";
  return `${article} ${kind} of ${size} bytes was not freed.${where}`;
}

function warn(message: string): void {
  process.emitWarning(message, { type: "OffheapLeak" });
}
