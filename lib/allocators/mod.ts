/**
 * Every allocator that offheap knows: the one place that lists them. The rest of offheap goes by this
 * list, and asks nobody's name.
 *
 * @module
 */
import { GLIBC } from "./glibc.ts";
import { JEMALLOC } from "./jemalloc.ts";
import { MIMALLOC } from "./mimalloc.ts";
import { MUSL } from "./musl.ts";
import { SYSTEM } from "./system.ts";
import { TCMALLOC } from "./tcmalloc.ts";
import type { AllocatorDescriptor, AllocatorSource } from "./types.ts";

/** An allocator that offheap can run a process under; `system` is the C library's own. */
export type AllocatorName = "jemalloc" | "mimalloc" | "tcmalloc" | "system";

/** Who serves libc's `malloc` in a process. */
export type ProcessAllocator = AllocatorName | "glibc" | "musl" | "unknown";

/** The name of an allocator that offheap knows. */
export type KnownAllocator = Exclude<ProcessAllocator, "unknown">;

/** In order: an object that fits several is the first; the C libraries come after the others. */
const LIST = {
  jemalloc: JEMALLOC,
  mimalloc: MIMALLOC,
  tcmalloc: TCMALLOC,
  glibc: GLIBC,
  musl: MUSL,
  system: SYSTEM,
} as const satisfies { readonly [N in KnownAllocator]: AllocatorDescriptor<N> };

type FromSource<S extends AllocatorSource> = {
  [N in KnownAllocator]: (typeof LIST)[N] extends AllocatorDescriptor<N, S> ? N : never;
}[KnownAllocator];

/** An allocator that offheap builds. */
export type BuiltAllocator = FromSource<"build">;

/** An allocator that is a library. */
export type LoadableAllocator = FromSource<"build"> | FromSource<"elsewhere">;

/** What {@linkcode allocatorNamed} gives. */
type Descriptor<N extends KnownAllocator = KnownAllocator> = N extends LoadableAllocator
  ? AllocatorDescriptor<N, "build" | "elsewhere">
  : AllocatorDescriptor<N>;

/** The allocators. */
export const ALLOCATORS: readonly Descriptor[] = Object.values(LIST);

/** One of them. */
export function allocatorNamed<N extends KnownAllocator>(name: N): (typeof LIST)[N] {
  return LIST[name];
}

/** Whether an allocator is a library. */
export function isLoadable(name: KnownAllocator): name is LoadableAllocator {
  return LIST[name].library !== null;
}

/** The one of a name, where offheap knows it. */
export function findAllocator(name: string | undefined): Descriptor | null {
  return ALLOCATORS.find((each) => each.name === name) ?? null;
}

function namesFrom<S extends AllocatorSource>(...sources: readonly S[]): FromSource<S>[] {
  return ALLOCATORS.filter(({ source }) => (sources as readonly AllocatorSource[]).includes(source))
    .map(({ name }) => name as FromSource<S>);
}

/** Every {@linkcode AllocatorName}. */
export const ALLOCATOR_NAMES: readonly AllocatorName[] = namesFrom("build", "elsewhere", "system");

/** Every {@linkcode BuiltAllocator}. */
export const BUILT_ALLOCATORS: readonly BuiltAllocator[] = namesFrom("build");

/** Every {@linkcode KnownAllocator}. */
export const KNOWN_ALLOCATORS: readonly KnownAllocator[] = ALLOCATORS.map(({ name }) => name);
