/**
 * Which piece of code an address on a stack was in, where its place has been used more than once. No
 * allocator keeps the time of a sample: what was made last before the dump is the best guess, apart from
 * what cannot be.
 *
 * @module
 */
import type { MappedCode } from "./perf-map.ts";

/** Interpreted functions have a copy each of the same code (`--interpreted-frames-native-stack`). */
const INTERPRETED = /^JS:~/;

/** How it was compiled makes no difference to what a function is. */
function functionOf(name: string): string {
  return name.replace(/^JS:(?:o?[~^+*]'?)?/, "JS:");
}

/**
 * Where in that code all calls return to: it has one call. The most frequent offset among addresses that
 * can be nothing else; `null` without any.
 */
function returnOffset(codes: Iterable<readonly MappedCode[]>): number | null {
  const counts = new Map<number, number>();
  for (const candidates of codes) {
    const [only, ...others] = candidates;
    if (only === undefined || others.length > 0 || !INTERPRETED.test(only.name)) continue;
    counts.set(only.offset, (counts.get(only.offset) ?? 0) + 1);
  }
  const [most] = [...counts].sort(([, a], [, b]) => b - a);
  return most?.[0] ?? null;
}

/** What addresses were in. */
export interface ChosenCode {
  /** The names. */
  readonly names: ReadonlyMap<number, string>;
  /** Addresses that may have been in another function as well. */
  readonly doubtful: ReadonlySet<number>;
}

/** Chooses for each address. */
export function chooseCode(codes: ReadonlyMap<number, readonly MappedCode[]>): ChosenCode {
  const names = new Map<number, string>();
  const doubtful = new Set<number>();
  const call = returnOffset(codes.values());
  for (const [address, candidates] of codes) {
    const possible = candidates.filter(({ name, offset }) =>
      call === null || !INTERPRETED.test(name) || offset === call
    );
    const last = possible.at(-1) ?? candidates.at(-1);
    if (last === undefined) continue;
    names.set(address, last.name);
    if (new Set(possible.map(({ name }) => functionOf(name))).size > 1) doubtful.add(address);
  }
  return { names, doubtful };
}
