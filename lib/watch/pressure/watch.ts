/**
 * Reporting to a program that memory is short.
 *
 * @module
 */
import process from "node:process";
import { inspect } from "node:util";
import { missingFlags } from "../../../ffi/mod.ts";
import { PermissionError, UnsupportedOperationError } from "../../errors.ts";
import { ownOptions } from "../../options.ts";
import { type MemoryPressure, PressureGauge } from "./gauge.ts";
import { type OwnLimit, PressureReader } from "./sources.ts";

/** How memory is watched. */
export interface PressureOptions {
  /**
   * A limit of resident memory of the program's own: bytes, or a part of what the process may use in
   * all, such as `"80%"`.
   */
  readonly memoryLimit?: OwnLimit | undefined;
  /** How often to look, in milliseconds: 1,000 by default. */
  readonly interval?: number | undefined;
}

const ACTION = "watch for memory pressure";
const OPTIONS: readonly (keyof PressureOptions)[] = ["memoryLimit", "interval"];
const DEFAULT_INTERVAL_MS = 1000;
const MAX_INTERVAL_MS = 2 ** 31 - 1;

function isLimit(value: unknown): boolean {
  if (typeof value === "number") return Number.isSafeInteger(value) && value > 0;
  const percent = /^(\d{1,3})%$/.exec(String(value))?.[1];
  return typeof value === "string" && percent !== undefined && Number(percent) > 0 &&
    Number(percent) <= 100;
}

function check(callback: unknown, { memoryLimit, interval }: PressureOptions): void {
  if (typeof callback !== "function") {
    throw new TypeError(
      `Cannot ${ACTION}: the callback must be a function; got ${inspect(callback)}`,
    );
  }
  if (memoryLimit !== undefined && !isLimit(memoryLimit)) {
    const Kind = ["number", "string"].includes(typeof memoryLimit) ? RangeError : TypeError;
    throw new Kind(
      `Cannot ${ACTION}: memoryLimit must be a number of bytes, or "1%" to "100%"; got ${
        inspect(memoryLimit)
      }`,
    );
  }
  if (interval === undefined) return;
  if (Number.isSafeInteger(interval) && interval > 0 && interval <= MAX_INTERVAL_MS) return;
  const Kind = typeof interval === "number" ? RangeError : TypeError;
  throw new Kind(
    `Cannot ${ACTION}: interval must be a whole number of milliseconds; got ${inspect(interval)}`,
  );
}

/** Whether limits of the system can be read; where not, only a number of bytes can be watched. */
function readsSystem(memoryLimit: OwnLimit | undefined): boolean {
  const flags = missingFlags(["all"]);
  if (process.platform === "linux" && flags.length === 0) return true;
  if (typeof memoryLimit === "number") return false;
  if (flags.length > 0) throw new PermissionError(ACTION, flags);
  throw new UnsupportedOperationError(
    `Cannot ${ACTION}: on ${process.platform} offheap knows no limits of the system. Give ` +
      "memoryLimit as a number of bytes.",
  );
}

/**
 * Calls back when memory becomes short, so that a program can drop caches, and again when that is
 * over. It is short from 90 % of a limit on, and until 85 %: of the control groups that the process
 * is in, of the machine's memory, and of the program's own limit; and while tasks of its control
 * group wait for memory (the kernel's PSI, where it counts for the group). Nothing keeps the program
 * alive for it, and what is short is not said again within two seconds.
 *
 * @returns A function that ends it.
 * @throws {TypeError | RangeError} for bad arguments.
 * @throws {PermissionError} when the runtime does not permit to read the limits, and memoryLimit is
 * no number of bytes; Deno reads `/proc` with `--allow-all` only.
 * @throws {UnsupportedOperationError} on another system than Linux, without such a memoryLimit.
 * @throws {SystemInfoError} when a limit cannot be read.
 * @example
 * ```ts
 * import { onMemoryPressure } from "@offheap/offheap";
 *
 * const cache = new Map<string, string>();
 * const stop = onMemoryPressure(({ short, source, used, limit }) => {
 *   if (!short) return;
 *   console.log(`${used} of ${limit} (${source}): the cache is dropped`);
 *   cache.clear();
 * }, { memoryLimit: 2 ** 40 });
 * console.log("it is watched until stop() is called");
 * stop();
 * ```
 */
export function onMemoryPressure(
  callback: (pressure: MemoryPressure) => void,
  options: PressureOptions = {},
): () => void {
  const own = ownOptions(ACTION, options, OPTIONS);
  check(callback, own);
  const { memoryLimit, interval = DEFAULT_INTERVAL_MS } = own;
  const system = readsSystem(memoryLimit);
  const reader = new PressureReader(memoryLimit);
  const gauge = new PressureGauge();
  const look = (): void => {
    const now = performance.now();
    const pressure = gauge.take(system ? reader.read(now) : reader.readOwn(null), now);
    if (pressure !== null) callback(pressure);
  };
  // What cannot be read is said to who asks, and not in a timer.
  if (system) reader.read(performance.now());
  const timer = setInterval(look, interval);
  timer.unref();
  return () => clearInterval(timer);
}
