/**
 * Profiles as files: gzipped pprof (`profile.proto`), which `go tool pprof`, Pyroscope, Parca, Polar
 * Signals and speedscope read.
 *
 * @module
 */
import { gunzipSync, gzipSync } from "node:zlib";
import type {
  Function as PprofFunction,
  Location,
  Mapping,
  Profile,
  Sample,
  StringTable,
  ValueType,
} from "pprof-format";
import { HeapProfileError } from "../../errors.ts";
import { VERSION } from "../../version.ts";
import { functionKey, functionName } from "./names.ts";
import {
  type FrameKind,
  HEAP_SOURCES,
  type HeapAmount,
  type HeapFrame,
  type HeapMapping,
  type HeapProfile,
  type HeapSample,
  type HeapSource,
} from "./types.ts";

const NOTHING: HeapAmount = { objects: 0, bytes: 0 };

/** A column of the values: its type, its unit, and what a sample has in it. */
interface ValueColumn {
  readonly type: string;
  readonly unit: "count" | "bytes";
  readonly value: (sample: HeapSample) => number;
}

function pair(name: string, amount: (sample: HeapSample) => HeapAmount): ValueColumn[] {
  return [
    { type: `${name}_objects`, unit: "count", value: (sample) => amount(sample).objects },
    { type: `${name}_space`, unit: "bytes", value: (sample) => amount(sample).bytes },
  ];
}

/** Native memory, by the names that Go's heap profiles have. */
const IN_USE = pair(
  "inuse",
  ({ source, inUse }) => source === "javascript" ? NOTHING : inUse,
);
const ALLOCATED = pair("alloc", ({ allocated }) => allocated ?? NOTHING);
/** V8's objects: it says of how many bytes they are, and not how many. */
const OBJECTS: readonly ValueColumn[] = [{
  type: "javascript_space",
  unit: "bytes",
  value: ({ source, inUse }) => source === "javascript" ? inUse.bytes : 0,
}];
const DEFAULT_COLUMN = "inuse_space";

/** What is kept beside the samples, as a comment. */
const FACTS_MARK = "offheap:";

type Facts = Pick<HeapProfile, "pid" | "absent" | "notes" | "milliseconds">;

const SOURCE_LABEL = "source";
const SAMPLED_LABEL = "sampled";
const KIND_PREFIX = "offheap-";

type Pprof = typeof import("pprof-format");

/** The encoder; a program that takes no profile has no need of the package. */
function loadPprof(): Promise<Pprof> {
  return import("pprof-format");
}

/** What makes the tables of one profile. */
class Encoder {
  readonly strings: StringTable;
  readonly functions: PprofFunction[] = [];
  readonly locations: Location[] = [];
  readonly mappings: Mapping[];
  readonly #pprof: Pprof;
  readonly #files: readonly HeapMapping[];
  readonly #functionIds = new Map<string, number>();
  readonly #locationIds = new Map<string, number>();

  constructor(pprof: Pprof, files: readonly HeapMapping[]) {
    this.#pprof = pprof;
    this.strings = new pprof.StringTable();
    this.#files = files;
    this.mappings = files.map(({ start, end, offset, path, buildId }, index) =>
      new pprof.Mapping({
        id: index + 1,
        memoryStart: start,
        memoryLimit: end,
        fileOffset: offset,
        filename: this.strings.dedup(path),
        buildId: this.strings.dedup(buildId ?? ""),
        // Named already: no reader has to have the file.
        hasFunctions: true,
      })
    );
  }

  location(frame: HeapFrame): number {
    const key = `${frame.address}\0${functionKey(frame)}`;
    const known = this.#locationIds.get(key);
    if (known !== undefined) return known;
    const { address, line, column } = frame;
    const id = this.locations.length + 1;
    const file = this.#files.findIndex(({ start, end }) => address > start && address <= end);
    this.locations.push(
      new this.#pprof.Location({
        id,
        mappingId: file + 1,
        address,
        line: [new this.#pprof.Line({ functionId: this.#function(frame), line, column })],
      }),
    );
    this.#locationIds.set(key, id);
    return id;
  }

  #function(frame: HeapFrame): number {
    const key = functionKey(frame);
    const known = this.#functionIds.get(key);
    if (known !== undefined) return known;
    const id = this.functions.length + 1;
    this.functions.push(
      new this.#pprof.Function({
        id,
        name: this.strings.dedup(functionName(frame)),
        systemName: this.strings.dedup(`${KIND_PREFIX}${frame.kind} ${frame.name}`),
        filename: this.strings.dedup(frame.file ?? ""),
        startLine: frame.line,
      }),
    );
    this.#functionIds.set(key, id);
    return id;
  }
}

/**
 * Writes a profile as gzipped pprof. Its values are what is in use (`inuse_objects`, `inuse_space`), what
 * was allocated in all where that is counted (`alloc_…`), and V8's objects where they were sampled
 * (`javascript_…`).
 */
export async function encodeProfile(profile: HeapProfile): Promise<Uint8Array> {
  const pprof = await loadPprof();
  const { samples, mappings, interval, at, milliseconds, pid, absent, notes } = profile;
  const columns = [
    ...(samples.some(({ allocated }) => allocated !== null) ? ALLOCATED : []),
    ...(samples.some(({ source }) => source === "javascript") ? OBJECTS : []),
    ...IN_USE,
  ];
  const encoder = new Encoder(pprof, mappings);
  const { strings } = encoder;
  const type = (name: string, unit: string): ValueType =>
    new pprof.ValueType({ type: strings.dedup(name), unit: strings.dedup(unit) });
  const facts: Facts = { pid, absent, notes, milliseconds };
  const encoded = new pprof.Profile({
    sampleType: columns.map((column) => type(column.type, column.unit)),
    sample: samples.map((sample) =>
      new pprof.Sample({
        locationId: sample.stack.map((frame) => encoder.location(frame)),
        value: columns.map(({ value }) => Math.round(value(sample))),
        label: [
          { key: strings.dedup(SOURCE_LABEL), str: strings.dedup(sample.source) },
          { key: strings.dedup(SAMPLED_LABEL), num: sample.sampled },
        ],
      })
    ),
    mapping: encoder.mappings,
    location: encoder.locations,
    function: encoder.functions,
    stringTable: strings,
    timeNanos: BigInt(Math.round(at)) * 1_000_000n,
    durationNanos: BigInt(Math.round(milliseconds ?? 0)) * 1_000_000n,
    periodType: type("space", "bytes"),
    period: interval,
    defaultSampleType: strings.dedup(DEFAULT_COLUMN),
    comment: [
      strings.dedup(`offheap ${VERSION}`),
      ...notes.map((note) => strings.dedup(note)),
      strings.dedup(`${FACTS_MARK}${JSON.stringify(facts)}`),
    ],
  });
  return gzipSync(encoded.encode());
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
  const [, kind, name] = /^offheap-(\w+) (.*)$/s.exec(text(profile, found?.systemName ?? 0)) ?? [];
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

const FRAME_KINDS: readonly FrameKind[] = ["javascript", "native", "runtime"];

type FunctionIndex = ReadonlyMap<number, PprofFunction>;

function labelsOf(profile: Profile, sample: Sample): { source: HeapSource; sampled: number } {
  const labels = new Map(
    sample.label.map(({ key, str, num }) => [text(profile, key), { str: text(profile, str), num }]),
  );
  const source = labels.get(SOURCE_LABEL)?.str;
  return {
    source: HEAP_SOURCES.find((each) => each === source) ?? "malloc",
    sampled: Number(labels.get(SAMPLED_LABEL)?.num ?? 0),
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
 * @throws {HeapProfileError} when it is none.
 */
export async function decodeProfile(bytes: Uint8Array, place: string): Promise<HeapProfile> {
  const pprof = await loadPprof();
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
    Number(sample.value[types.indexOf(type)] ?? 0);
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
