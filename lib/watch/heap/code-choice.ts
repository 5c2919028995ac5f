/**
 * Which piece of code an address on a stack was in, where its place has been used more than once: what was
 * written into the map last before the stack was taken. How far the map was written then, the stack says
 * itself (`ffi/native/profile/code-moment.c`).
 *
 * @module
 */
import type { MappedCode } from "./perf-map.ts";

/**
 * What is interpreted has a copy each of the same code (`--interpreted-frames-native-stack`): functions, and
 * the code around them.
 */
const INTERPRETED = /^(?:JS|LazyCompile|Function|Script|Eval):~/;

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

/**
 * The name of the one that was there; `null` where none was.
 *
 * @param candidates In the order in which they were made.
 * @param mark How far the map was written, as the stack has it; `null` where it does not say.
 * @param call Where interpreted functions call, see {@linkcode returnOffset}.
 */
export function chooseCode(
  candidates: readonly MappedCode[],
  mark: number | null,
  call: number | null,
): string | null {
  const known = mark === null ? candidates : candidates.filter(({ written }) => written < mark);
  const possible = known.filter(({ name, offset }) =>
    call === null || !INTERPRETED.test(name) || offset === call
  );
  return (possible.at(-1) ?? known.at(-1))?.name ?? null;
}
