/**
 * How far a profile can be trusted.
 *
 * @module
 */
import type { HeapProfile, HeapSample } from "./types.ts";

/** What a profile has, in figures. */
export interface HeapFacts {
  /** Native memory in use, in bytes: all sources but V8's objects. */
  readonly bytes: number;
  /** Allocations. */
  readonly objects: number;
  /** How many allocations were sampled. */
  readonly sampled: number;
  /** The part of the bytes that has a function of the program's JavaScript on its stack; `null` of nothing. */
  readonly javaScriptShare: number | null;
  /** Bytes that functions of addons and libraries allocated where no JavaScript was on the stack. */
  readonly nativeAlone: number;
  /** V8's objects in bytes; `null` where they were not sampled. */
  readonly javaScriptObjects: number | null;
}

/** Whether the program's own JavaScript is on a stack. */
export function hasJavaScript({ stack }: HeapSample): boolean {
  return stack.some(({ kind }) => kind === "javascript");
}

/** Whether code of an addon allocated without JavaScript: in a thread of its own, or the runtime's pool. */
function isNativeAlone(sample: HeapSample): boolean {
  return !hasJavaScript(sample) && sample.stack.some(({ kind }) => kind === "native");
}

/** Works out the figures of a profile. */
export function factsOf({ samples }: HeapProfile): HeapFacts {
  const sum = (some: readonly HeapSample[]): number =>
    some.reduce((total, { inUse }) => total + inUse.bytes, 0);
  const native = samples.filter(({ source }) => source !== "javascript");
  const objects = samples.filter(({ source }) => source === "javascript");
  const bytes = sum(native);
  return {
    bytes,
    objects: native.reduce((total, { inUse }) => total + inUse.objects, 0),
    sampled: native.reduce((total, { sampled }) => total + sampled, 0),
    javaScriptShare: bytes === 0 ? null : sum(native.filter(hasJavaScript)) / bytes,
    nativeAlone: sum(native.filter(isNativeAlone)),
    javaScriptObjects: objects.length === 0 ? null : sum(objects),
  };
}
