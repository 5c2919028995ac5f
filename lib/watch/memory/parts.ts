/**
 * What resident memory is made of, as far as somebody counts it.
 *
 * @module
 */
import type { AllocatorFigures } from "../../allocators/statistics.ts";
import type { JavaScriptFigures, MemoryPart, PartName, ProcessMemory } from "./types.ts";

type Sizes = Partial<Record<PartName, number>>;

/** What one allocator has, in parts that do not overlap; what it does not count is in the rest. */
function addAllocator(sizes: Sizes, figures: AllocatorFigures, anonymous: number): void {
  const { allocated, active, resident, mapped, metadata } = figures;
  const add = (name: PartName, bytes: number | undefined): void => {
    if (bytes !== undefined) sizes[name] = (sizes[name] ?? 0) + Math.max(bytes, 0);
  };
  // What is committed and was never written to is no memory: more than there can be says nothing.
  const committed = (figures.committed ?? Infinity) <= anonymous ? figures.committed : undefined;
  if (allocated === undefined) return add("committed", committed);
  add("live", allocated);
  add("metadata", metadata);
  if (active === undefined) return add("held", minus(mapped, allocated));
  add("fragmentation", active - allocated);
  add("held", minus(resident ?? committed, active + (metadata ?? 0)));
}

function minus(known: number | undefined, bytes: number): number | undefined {
  return known === undefined ? undefined : known - bytes;
}

/** The parts of RSS, the rest last; none where RSS is not known. */
export function partsOf(
  memory: Pick<ProcessMemory, "allocator" | "own" | "runtimeAllocator" | "kernel"> & {
    readonly javascript: Pick<JavaScriptFigures, "physical" | "total" | "external">;
  },
): MemoryPart[] {
  const { allocator, own, runtimeAllocator, kernel, javascript } = memory;
  const { rss } = kernel;
  if (rss === undefined) return [];
  const anonymous = kernel.anonymous ?? rss;
  const sizes: Sizes = {};
  const heap = javascript.physical ?? javascript.total;
  if (heap !== undefined) sizes.javascript = heap;
  for (const { figures } of [allocator, ...own]) addAllocator(sizes, figures, anonymous);
  if (runtimeAllocator !== null) {
    // It has the JavaScript heap, too, and what that holds outside of it.
    const { committed = Infinity, allocated } = runtimeAllocator.figures;
    const all = committed <= anonymous
      ? committed
      : allocated ?? (heap ?? 0) + (javascript.external ?? 0);
    sizes.runtime = Math.max(all - (heap ?? 0), 0);
  }
  if (kernel.file !== undefined) sizes.files = kernel.file;
  if (kernel.shared !== undefined) sizes.shared = kernel.shared;
  const parts = Object.entries(sizes).map(([name, bytes]) => ({ name: name as PartName, bytes }));
  const sum = parts.reduce((bytes, part) => bytes + part.bytes, 0);
  return [...parts, { name: "rest", bytes: rss - sum }];
}
