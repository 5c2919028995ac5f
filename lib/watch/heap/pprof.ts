/**
 * Writing profiles as files: gzipped pprof (`profile.proto`), which `go tool pprof`, Pyroscope, Parca, Polar
 * Signals and speedscope read.
 *
 * @module
 */
import { gzipSync } from "node:zlib";
import type {
  Function as PprofFunction,
  Location,
  Mapping,
  StringTable,
  ValueType,
} from "pprof-format";
import { VERSION } from "../../version.ts";
import { functionKey, functionName } from "./names.ts";
import type { HeapAmount, HeapFrame, HeapMapping, HeapProfile, HeapSample } from "./types.ts";

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

/** What is kept beside the samples is in a comment that begins so. */
export const FACTS_MARK = "offheap:";

/** What that is. */
export type Facts = Pick<HeapProfile, "pid" | "absent" | "notes" | "milliseconds">;

/** The labels of a sample. */
export const SOURCE_LABEL = "source";
/** How many allocations were sampled. */
export const SAMPLED_LABEL = "sampled";
/** Before a frame's kind, in the function's system name. */
export const KIND_PREFIX = "offheap-";

/** The encoder; a program that takes no profile has no need of it. */
type Pprof = typeof import("pprof-format");

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
  const pprof = await import("pprof-format");
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
