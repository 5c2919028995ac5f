/**
 * Calling the garbage collector in each runtime, without a flag on its command line.
 *
 * @module
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** A collector that does a full collection before it returns. */
export type Collector = () => void;

/**
 * Finds the collector: Bun's own, else V8's, which is shown to contexts that are made after its
 * flag was set.
 */
export function findCollector(): Collector {
  const bun = Reflect.get(globalThis, "Bun") as { gc(wait: boolean): void } | undefined;
  if (bun !== undefined) return () => bun.gc(true);
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  if (typeof collect !== "function") throw new TypeError("Cannot measure: there is no gc()");
  return () => void collect();
}
