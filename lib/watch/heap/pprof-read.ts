/**
 * Reading the files that {@linkcode encodeProfile} writes.
 *
 * @module
 */
import { gunzipSync } from "node:zlib";
import type { Function as PprofFunction, Location, Profile, Sample } from "pprof-format";
import { HeapProfileError } from "../../errors.ts";
import { type Facts, FACTS_MARK, KIND_PREFIX, SAMPLED_LABEL, SOURCE_LABEL } from "./pprof.ts";
import {
  type FrameKind,
  HEAP_SOURCES,
  type HeapAmount,
  type HeapFrame,
  type HeapProfile,
  type HeapSource,
} from "./types.ts";

const FRAME = new RegExp(`^${KIND_PREFIX}(\\w+) (.*)$`, "s");

const FRAME_KINDS: readonly FrameKind[] = ["javascript", "native", "runtime"];

type FunctionIndex = ReadonlyMap<number, PprofFunction>;

/** A value of a sample: of a difference it may be below 0, and the package reads all numbers as unsigned. */
function signed(value: number | bigint): number {
  return Number(BigInt.asIntN(64, BigInt(value)));
}

function text({ stringTable }: Profile, index: number | bigint): string {
  return stringTable.strings[Number(index)] ?? "";
}

function frameOf(
  profile: Profile,
  { address, line }: Location,
  functions: FunctionIndex,
): HeapFrame {
  const [place] = line;
  const found = functions.get(Number(place?.functionId));
  const [, kind, name] = FRAME.exec(text(profile, found?.systemName ?? 0)) ?? [];
  const file = text(profile, found?.filename ?? 0);
  return {
    kind: FRAME_KINDS.find((each) => each === kind) ?? "native",
    name: name ?? text(profile, found?.name ?? 0),
    file: file === "" ? null : file,
    line: Number(place?.line ?? 0),
    column: Number(place?.column ?? 0),
    address: Number(address),
  };
}

function labelsOf(profile: Profile, sample: Sample): { source: HeapSource; sampled: number } {
  const labels = new Map(
    sample.label.map(({ key, str, num }) => [text(profile, key), { str: text(profile, str), num }]),
  );
  const source = labels.get(SOURCE_LABEL)?.str;
  return {
    source: HEAP_SOURCES.find((each) => each === source) ?? "malloc",
    sampled: signed(labels.get(SAMPLED_LABEL)?.num ?? 0),
  };
}

function readFacts(profile: Profile): Facts | null {
  const comments = profile.comment.map((index) => text(profile, index));
  const facts = comments.find((comment) => comment.startsWith(FACTS_MARK));
  return facts === undefined ? null : JSON.parse(facts.slice(FACTS_MARK.length));
}

/**
 * Reads a profile that {@linkcode encodeProfile} wrote.
 *
 * @param place What a message calls it.
 * @throws {HeapProfileError} when it is not one.
 */
export async function decodeProfile(bytes: Uint8Array, place: string): Promise<HeapProfile> {
  const pprof = await import("pprof-format");
  const fail = (why: string, cause?: unknown): never => {
    throw new HeapProfileError(`Cannot read the heap profile in ${place}: ${why}.`, { cause });
  };
  let profile;
  let facts;
  try {
    profile = pprof.Profile.decode(gunzipSync(bytes));
    facts = readFacts(profile);
  } catch (error) {
    return fail("it is not gzipped pprof", error);
  }
  if (facts === null) return fail("it is not one of offheap's; use `go tool pprof` for others");
  const read = profile;
  const functions = new Map(read.function.map((each) => [Number(each.id), each]));
  const frames = new Map(
    read.location.map((each) => [Number(each.id), frameOf(read, each, functions)]),
  );
  const types = read.sampleType.map(({ type }) => text(read, type));
  const valueOf = (sample: Sample, type: string): number =>
    signed(sample.value[types.indexOf(type)] ?? 0);
  const amount = (sample: Sample, name: string): HeapAmount => ({
    objects: valueOf(sample, `${name}_objects`),
    bytes: valueOf(sample, `${name}_space`),
  });
  const counted = types.includes("alloc_space");
  return {
    ...facts,
    at: Number(BigInt(read.timeNanos) / 1_000_000n),
    interval: Number(read.period),
    samples: read.sample.map((sample) => {
      const { source, sampled } = labelsOf(read, sample);
      return {
        source,
        sampled,
        stack: sample.locationId.flatMap((id) => frames.get(Number(id)) ?? []),
        inUse: amount(sample, source === "javascript" ? source : "inuse"),
        allocated: source === "malloc" && counted ? amount(sample, "alloc") : null,
      };
    }),
    mappings: read.mapping.map(({ memoryStart, memoryLimit, fileOffset, filename, buildId }) => ({
      start: Number(memoryStart),
      end: Number(memoryLimit),
      offset: Number(fileOffset),
      path: text(read, filename),
      buildId: text(read, buildId) || null,
    })),
  };
}
