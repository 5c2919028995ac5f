/**
 * What has changed between two profiles.
 *
 * @module
 */
import { functionKey } from "./names.ts";
import type { HeapAmount, HeapMapping, HeapProfile, HeapSample } from "./types.ts";

function plus(a: HeapAmount, b: HeapAmount, sign: number): HeapAmount {
  return { objects: a.objects + sign * b.objects, bytes: a.bytes + sign * b.bytes };
}

function keyOf({ source, stack }: HeapSample): string {
  return [source, ...stack.map(functionKey)].join("\n");
}

function signed(sample: HeapSample, sign: number): HeapSample {
  const nothing = { objects: 0, bytes: 0 };
  const { inUse, allocated } = sample;
  return {
    ...sample,
    inUse: plus(nothing, inUse, sign),
    allocated: allocated === null ? null : plus(nothing, allocated, sign),
  };
}

function joined(a: HeapSample, b: HeapSample): HeapSample {
  return {
    ...a,
    inUse: plus(a.inUse, b.inUse, 1),
    allocated: a.allocated === null || b.allocated === null
      ? null
      : plus(a.allocated, b.allocated, 1),
    sampled: a.sampled + b.sampled,
  };
}

/** The same file at the same place is one, whichever of the two profiles has it. */
function allMappings(profiles: readonly HeapProfile[]): HeapMapping[] {
  const all = profiles.flatMap(({ mappings }) => mappings);
  return [...new Map(all.map((each) => [`${each.start}\0${each.path}`, each])).values()];
}

/**
 * What the second profile has more than the first, stack by stack: below 0 for what it has less. Stacks
 * are the same when their functions are, so that two processes can be compared, too.
 */
export function profileDifference(before: HeapProfile, after: HeapProfile): HeapProfile {
  const sums = new Map<string, HeapSample>();
  const add = (sample: HeapSample): void => {
    const key = keyOf(sample);
    const known = sums.get(key);
    sums.set(key, known === undefined ? sample : joined(known, sample));
  };
  for (const sample of before.samples) add(signed(sample, -1));
  for (const sample of after.samples) add(sample);
  return {
    ...after,
    milliseconds: after.at - before.at,
    samples: [...sums.values()].filter(({ inUse }) => Math.round(inUse.bytes) !== 0),
    mappings: allMappings([before, after]),
    notes: [...new Set([...before.notes, ...after.notes])],
  };
}
