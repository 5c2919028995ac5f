/**
 * Memory that was dropped: freed when the garbage collector says so.
 *
 * @module
 */

/** What frees memory whose JavaScript side is gone. It must not hold that side. */
export interface Reclaimable {
  /** Frees it. */
  reclaim(): void;
}

let registry: FinalizationRegistry<Reclaimable> | undefined;

/** Has memory reclaimed when its JavaScript side was collected. */
export function watch(side: WeakKey, memory: Reclaimable): void {
  registry ??= new FinalizationRegistry((held) => held.reclaim());
  registry.register(side, memory, memory);
}

/** Ends the watch: the memory was freed. */
export function unwatch(memory: Reclaimable): void {
  registry?.unregister(memory);
}
