/**
 * What has changed between two profiles.
 *
 * @module
 */
import { joinSamples } from "./samples.ts";
import type { HeapAmount, HeapMapping, HeapProfile, HeapSample } from "./types.ts";

function negative({ objects, bytes }: HeapAmount): HeapAmount {
  return { objects: 0 - objects, bytes: 0 - bytes };
}

function taken(sample: HeapSample): HeapSample {
  const { inUse, allocated } = sample;
  return {
    ...sample,
    inUse: negative(inUse),
    allocated: allocated === null ? null : negative(allocated),
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
  const samples = joinSamples([...before.samples.map(taken), ...after.samples]);
  return {
    ...after,
    milliseconds: after.at - before.at,
    samples: samples.filter(({ inUse }) => Math.round(inUse.bytes) !== 0),
    mappings: allMappings([before, after]),
    notes: [...new Set([...before.notes, ...after.notes])],
  };
}
