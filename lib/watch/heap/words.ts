/**
 * A profile in sentences.
 *
 * @module
 */
import { formatBytes } from "../../units.ts";
import { factsOf, type HeapFacts } from "./facts.ts";
import { HEAP_SOURCES, type HeapProfile, type HeapSource } from "./types.ts";

/** A share of a profile. */
export function percent(part: number): string {
  return `${(100 * part).toFixed(1)} %`;
}

/** What a profile shows, in one sentence. */
export function headline(profile: HeapProfile): string {
  const { bytes, javaScriptShare } = factsOf(profile);
  const { pid, milliseconds } = profile;
  const what = milliseconds === null
    ? `${formatBytes(Math.round(bytes))} of native memory in use in process ${pid}`
    : `${bytes < 0 ? "" : "+"}${
      formatBytes(Math.round(bytes))
    } of native memory in process ${pid} within ${(milliseconds / 1000).toFixed(1)} s`;
  const share = javaScriptShare === null || !(javaScriptShare >= 0 && javaScriptShare <= 1)
    ? ""
    : `, ${percent(javaScriptShare)} of it below functions of its JavaScript`;
  return what + share;
}

/** How far it can be trusted. */
export function reliability(profile: HeapProfile): string {
  const { sampled, objects } = factsOf(profile);
  const { interval } = profile;
  const figures = new Intl.NumberFormat("en");
  return `${figures.format(sampled)} samples, one every ${
    formatBytes(Math.round(interval))
  } on average, stand for ${figures.format(Math.round(Math.abs(objects)))} allocations`;
}

const TITLES: Readonly<Record<HeapSource, string>> = {
  malloc: "what malloc serves",
  blocks: "blocks of openAllocator",
  javascript: "V8's objects",
};

/** From such a share on it is said why no JavaScript is on stacks of native code. */
const NOTABLE = 0.1;

/** Why an addon's functions are all that is known; nothing where no JavaScript has a name. */
function aboutThreads({ bytes, javaScriptShare, nativeAlone }: HeapFacts): string[] {
  // What shrank has fewer bytes than none.
  const notable = Math.abs(bytes) * NOTABLE;
  if (!(javaScriptShare !== null && javaScriptShare > 0 && nativeAlone > notable)) return [];
  return [
    `${formatBytes(Math.round(nativeAlone))} was allocated by native code in threads without ` +
    "JavaScript, as addons do that work on the thread pool: their functions are known, and not who " +
    "called them.",
  ];
}

/** What else is to be said: V8's objects, what could not be had, and why. */
export function remarks(profile: HeapProfile): string[] {
  const facts = factsOf(profile);
  const { javaScriptObjects } = facts;
  const { absent, notes } = profile;
  return [
    ...(javaScriptObjects === null
      ? []
      : [`Apart from that, V8's objects: ${formatBytes(Math.round(javaScriptObjects))}.`]),
    ...aboutThreads(facts),
    ...HEAP_SOURCES.flatMap((source) =>
      absent[source] === undefined ? [] : [`Without ${TITLES[source]}: ${absent[source]}.`]
    ),
    ...notes,
  ];
}
