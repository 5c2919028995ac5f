/**
 * Which piece of code an address on a stack was in, where its place has been used more than once: what was
 * written into the map last before the stack was taken. How far the map was written then, the stack says
 * itself (`ffi/native/profile/code-moment.c`).
 *
 * @module
 */
import type { MappedCode } from "./perf-map.ts";

/** The step of a stack's mark, as in the shim. */
const MARK_BYTES = 16384;

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
export function returnOffset(codes: Iterable<readonly MappedCode[]>): number | null {
  const counts = new Map<number, number>();
  for (const candidates of codes) {
    const [only, ...others] = candidates;
    if (only === undefined || others.length > 0 || !INTERPRETED.test(only.name)) continue;
    counts.set(only.offset, (counts.get(only.offset) ?? 0) + 1);
  }
  const [most] = [...counts].sort(([, a], [, b]) => b - a);
  return most?.[0] ?? null;
}

/** A piece of code that was chosen. */
export interface ChosenCode {
  /** Its name. */
  readonly name: string;
  /** Whether it may have been another function. */
  readonly doubtful: boolean;
}

/**
 * Chooses one.
 *
 * @param candidates In the order in which they were made.
 * @param mark How far the map was written, as the stack has it; 0 where it does not say.
 * @param call Where interpreted functions call, see {@linkcode returnOffset}.
 */
export function chooseCode(
  candidates: readonly MappedCode[],
  mark: number,
  call: number | null,
): ChosenCode | null {
  const possible = candidates.filter(({ name, offset }) =>
    call === null || !INTERPRETED.test(name) || offset === call
  );
  const [begin, end] = mark === 0 ? [0, Infinity] : [(mark - 1) * MARK_BYTES, mark * MARK_BYTES];
  const known = possible.filter(({ written }) => written < end);
  const last = known.at(-1) ?? possible.at(-1) ?? candidates.at(-1);
  if (last === undefined) return null;
  // What was written in the same step may have come before the stack or after it.
  const before = known.filter(({ written }) => written < begin).slice(-1);
  const within = known.filter(({ written }) => written >= begin);
  const functions = new Set([...before, ...within].map(({ name }) => functionOf(name)));
  return { name: last.name, doubtful: functions.size > 1 };
}
