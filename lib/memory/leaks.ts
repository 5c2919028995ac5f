/**
 * Which allocations record their stack, and how leaks are told.
 *
 * @module
 */
import process from "node:process";
import { readVariable } from "../environment.ts";
import { requireOneOf } from "../options.ts";
import type { AllocatorName } from "../allocators/policy.ts";
import { LEAK_LEVELS, type LeakKind, type LeakLevel, type LeakReport } from "./api/leaks.ts";

/** The environment variable for the level, where the program does not say. */
export const LEAKS_VARIABLE = "OFFHEAP_LEAKS";

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

/** A function or a constructor. */
export type Callee = Parameters<typeof Error.captureStackTrace>[1];

/** What a leak was. */
export interface Leak {
  /** What it was allocated as. */
  readonly kind: LeakKind;
  /** Its size in bytes. */
  readonly size: number;
  /** Where it was allocated, when that was sampled. */
  readonly trace: string | null;
}

/** Records stacks by the level, and tells of leaks. */
export class LeakTracker {
  readonly #allocator: AllocatorName;
  readonly #level: LeakLevel;
  readonly #onLeak: ((leak: LeakReport) => void) | undefined;
  /** Leaks that were noticed by the garbage collector, told or not. */
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
   * The stack of an allocation that is to be watched, else `null`. It begins with who called the
   * method that the user knows: that is told by the method, and by no file's name, which a bundler
   * changes and a user may have, too.
   *
   * @param method The user's method.
   * @param inner What it calls, which is looked for where the method itself is not on the stack:
   * JavaScriptCore takes a function off the stack that ends in a call.
   */
  trace(method: Callee, inner: Callee = method): string | null {
    const level = this.#level;
    if (level === "off") return null;
    if (level === "sampled" && Math.random() * SAMPLE >= 1) return null;
    return captureStack(FRAMES[level], method) || captureStack(FRAMES[level], inner);
  }

  /** A leak that the garbage collector has found: told when its stack was recorded. */
  collected(leak: Leak): void {
    this.count++;
    if (leak.trace !== null) this.#tell(this.describe(leak, "collected"));
  }

  /** Tells of what was open when the allocator was closed. */
  closed(open: readonly LeakReport[]): void {
    if (this.#level === "off" || open.length === 0) return;
    if (this.#onLeak !== undefined) return open.forEach((leak) => this.#tell(leak));
    const bytes = open.reduce((sum, { size }) => sum + size, 0);
    const shown = open.slice(0, SHOWN).map((leak) => `\n  A ${sentence(leak)}`);
    const more = open.length > shown.length ? `\n  And ${open.length - shown.length} more.` : "";
    warn(
      `The ${this.#allocator} allocator was closed with ${bytes} bytes still in use ` +
        `(allocations: ${open.length}). They were freed, and their views detached:` +
        `${shown.join("")}${more}`,
    );
  }

  /** Tells of blocks that were given away, and that nobody has claimed when the allocator is closed. */
  unclaimed(sizes: readonly number[]): LeakReport[] {
    const reports = sizes.map((size) =>
      this.describe({ kind: "block", size, trace: null }, "unclaimed")
    );
    if (this.#level === "off" || reports.length === 0) return reports;
    if (this.#onLeak !== undefined) {
      reports.forEach((leak) => this.#tell(leak));
      return reports;
    }
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    warn(
      `The ${this.#allocator} allocator was closed, and no thread has claimed ${bytes} bytes that ` +
        `were transferred (blocks: ${sizes.length}). They stay allocated until somebody claims them ` +
        "by their handles.",
    );
    return reports;
  }

  /** What callers are told of a leak. */
  describe({ kind, size, trace }: Leak, noticed: LeakReport["noticed"]): LeakReport {
    return { kind, size, allocator: this.#allocator, noticed, stack: trace };
  }

  /** What a hook throws is its own affair: it must not leave what is being freed half done. */
  #call(onLeak: (leak: LeakReport) => void, leak: LeakReport): void {
    try {
      onLeak(leak);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  #tell(leak: LeakReport): void {
    if (this.#onLeak !== undefined) return this.#call(this.#onLeak, leak);
    warn(
      `A ${
        sentence(leak)
      }\nIt was freed when it was collected. Free it where it is no longer used, ` +
        "or declare it with using. One leak may stand for many: OFFHEAP_LEAKS=all shows each.",
    );
  }
}

/**
 * The callers of a function, a line each; empty when it is not on the stack. As text at once: V8
 * keeps the objects of all frames alive for as long as it has not made one.
 */
function captureStack(frames: number, below: Callee): string {
  const { stackTraceLimit, prepareStackTrace } = Error;
  const holder: { stack?: string } = {};
  try {
    Error.stackTraceLimit = frames;
    // A program's own may give anything, or throw.
    Reflect.deleteProperty(Error, "prepareStackTrace");
    Error.captureStackTrace(holder, below);
    return framesOf(holder.stack ?? "");
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    if (prepareStackTrace !== undefined) Error.prepareStackTrace = prepareStackTrace;
  }
}

function framesOf(stack: string): string {
  return stack.split("\n").filter((line) => /^\s*at /.test(line)).map((line) => line.trim()).join(
    "\n",
  );
}

function sentence({ kind, size, stack }: LeakReport): string {
  const where = stack === null || stack === ""
    ? ""
    : ` It was allocated\n    ${stack.replaceAll("\n", "\n    ")}\n `;
  return `${kind} of ${size} bytes was not freed.${where}`;
}

function warn(message: string): void {
  process.emitWarning(message, { type: "OffheapLeak" });
}
