/**
 * Blocks of offheap's own in a profile, of libraries that nothing else samples.
 *
 * @module
 */
import type { SampledBlock } from "../../memory/blocks/sampling.ts";
import { javaScriptFrame } from "./code-names.ts";
import type { HeapFrame, HeapSample } from "./types.ts";

/** A frame as `Error.stack` has it: `at name (file:line:column)` or `at file:line:column`. */
const FRAME = /^at (?:(.*?) ?\()?(?:async )?(.*?):(\d+):(\d+)\)?$/;

/** What V8 writes before a function's own name. */
const BEFORE_NAME = /^(?:async |new |Object\.|Module\.)+/;

/** The frames of a stack as text, the innermost first. */
export function framesOfText(stack: string): HeapFrame[] {
  return stack.split("\n").flatMap((line) => {
    const [, name = "", file = "", at = "", column = ""] = FRAME.exec(line) ?? [];
    if (at === "") return [];
    const own = name.replace(BEFORE_NAME, "").replace(/^<anonymous>$/, "");
    return [{ ...javaScriptFrame(own, file, Number(at), Number(column)), address: 0 }];
  });
}

/** The samples of blocks; what malloc's own samples have in them as well is left out. */
export function blockSamples(
  blocks: readonly SampledBlock[],
  isSampledByMalloc: (object: string | null) => boolean,
): HeapSample[] {
  const sums = new Map<string, { bytes: number; objects: number; sampled: number }>();
  for (const { stack, object, size, factor } of blocks) {
    if (isSampledByMalloc(object)) continue;
    const sum = sums.get(stack) ?? { bytes: 0, objects: 0, sampled: 0 };
    sum.bytes += size * factor;
    sum.objects += factor;
    sum.sampled++;
    sums.set(stack, sum);
  }
  return [...sums].map(([stack, { bytes, objects, sampled }]) => ({
    source: "blocks",
    stack: framesOfText(stack),
    inUse: { bytes, objects },
    allocated: null,
    sampled,
  }));
}
