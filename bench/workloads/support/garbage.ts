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
 * V8's collection that gives back what it can: what its memory reducer comes to in a process that
 * stays idle for minutes. A plain one keeps a hundred MiB of empty pages after a burst.
 */
const WHOLE = { type: "major", execution: "sync", flavor: "last-resort" } as const;

/** The options of V8's `gc`, by how much is asked of it. */
const REQUESTS = { plain: [], "last-resort": [WHOLE] } as const;

/**
 * Finds the collector: Bun's own, which knows one kind, else V8's, which is shown to contexts that
 * are made after its flag was set.
 */
export function findCollector(kind: keyof typeof REQUESTS): Collector {
  const bun = Reflect.get(globalThis, "Bun") as { gc(wait: boolean): void } | undefined;
  if (bun !== undefined) return () => bun.gc(true);
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  if (typeof collect !== "function") throw new TypeError("Cannot measure: there is no gc()");
  return () => void collect(...REQUESTS[kind]);
}

const TIMES = 3;
const PAUSE_MS = 50;

/** Collects until nothing is left of a burst: finalizers free more, a turn of the loop later. */
export async function dropGarbage(collect: Collector): Promise<void> {
  for (let time = 0; time < TIMES; time++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
