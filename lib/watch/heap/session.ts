/**
 * Sampling of this process's memory by itself.
 *
 * @module
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { findAllocator } from "../../allocators/mod.ts";
import type { SamplingControl } from "../../allocators/sampling.ts";
import { HeapProfileError } from "../../errors.ts";
import { BlockSampling, blockSampling, setBlockSampling } from "../../memory/blocks/sampling.ts";
import { FIGURES, withPermissions } from "../../permissions.ts";
import { processStatistics } from "../../verify/process-statistics.ts";
import { agentProcess } from "../agent/sockets.ts";
import { assembleProfile, lookAtProcess } from "./assemble.ts";
import { readDump } from "./dump.ts";
import { type ObjectSampling, sampleObjects } from "./objects.ts";
import { blockSamples } from "./own-blocks.ts";
import { hasJavaScript } from "./facts.ts";
import type { HeapProfile, HeapSample, HeapSource } from "./types.ts";

/** What is sampled. */
export interface SessionOptions {
  /** The bytes between two samples, on average. */
  readonly interval: number | undefined;
  /** Whether V8's objects are sampled, too. */
  readonly objects: boolean;
}

/** The bytes between two samples where nobody says, as jemalloc and Go have it. */
const DEFAULT_INTERVAL = 512 * 1024;

type Absent = Partial<Record<HeapSource, string>>;

/** Malloc's sampling of this process. */
interface Malloc {
  /** How to use it; `null` where there is none. */
  readonly control: SamplingControl | null;
  /** Why there is none. */
  readonly refused: string;
  /** The object that serves `malloc`. */
  readonly object: string | null;
}

let malloc: Malloc | undefined;

function openMalloc(): Malloc {
  const { name, object } = processStatistics();
  const how = findAllocator(name)?.heapProfiling;
  if (how === undefined) {
    return { control: null, object, refused: "it is not known which allocator serves malloc" };
  }
  if ("refusal" in how) {
    const refused = `${name} serves malloc in this process: ${how.refusal}`;
    return { control: null, object, refused };
  }
  const control = how.open(object);
  const { refused } = control.state();
  return { control: refused === null ? control : null, object, refused: refused ?? "" };
}

/** Opened at the first call, and kept: how a process is served does not change. */
function mallocSampling(): Malloc {
  return malloc ??= openMalloc();
}

/** Whether malloc is sampled now, by whoever has started it. */
export function isMallocSampled(): boolean {
  return mallocSampling().control?.state().active === true;
}

/** The shim's functions by which blocks are allocated. */
const BLOCK_FUNCTIONS = /^offheap_(?:re)?allocate$/;

function isOwnBlock({ stack }: HeapSample): boolean {
  return stack.some(({ name }) => BLOCK_FUNCTIONS.test(name));
}

/** Whether no stack of a block goes on to who allocated it: the runtime writes no map of its code. */
function endBelowJavaScript(samples: readonly HeapSample[]): boolean {
  return !samples.some(hasJavaScript);
}

/** What a session is made of. */
interface SessionParts {
  readonly interval: number;
  readonly absent: Absent;
  /** Whether malloc was not sampled before. */
  readonly startedMalloc: boolean;
  readonly objects: ObjectSampling | null;
}

/** Sampling that this program has started. */
export class Session {
  readonly #parts: SessionParts;

  private constructor(parts: SessionParts) {
    this.#parts = parts;
  }

  /** Starts it. */
  static async start({ interval: wanted, objects }: SessionOptions): Promise<Session> {
    const absent: Absent = {};
    const { control, refused } = withPermissions(FIGURES, mallocSampling);
    const startedMalloc = control?.state().active === false;
    if (control === null) absent.malloc = refused;
    else control.start(wanted);
    const interval = control?.state().interval ?? wanted ?? DEFAULT_INTERVAL;
    setBlockSampling(new BlockSampling(interval));
    const sampling = objects ? await sampleObjects(interval) : "it was not asked for";
    if (typeof sampling === "string") absent.javascript = sampling;
    const started = typeof sampling === "string" ? null : sampling;
    return new Session({ interval, absent, startedMalloc, objects: started });
  }

  /** What is in use now. */
  async snapshot(): Promise<HeapProfile> {
    const native = await takeMalloc(this.#parts.interval);
    const { control, object } = mallocSampling();
    const isServing = (other: string | null): boolean => other === null || other === object;
    const blocks = blockSampling()?.blocks() ?? [];
    // Where malloc's stacks end below JavaScript, those of the records name who allocated a block.
    const recorded = endBelowJavaScript(native.samples);
    return {
      ...native,
      samples: [
        ...native.samples.filter((sample) => !recorded || !isOwnBlock(sample)),
        ...blockSamples(blocks, (other) => control !== null && !recorded && isServing(other)),
        ...await this.#parts.objects?.samples() ?? [],
      ],
      absent: this.#parts.absent,
    };
  }

  /** Ends it. What was started by others goes on. */
  async stop(): Promise<void> {
    setBlockSampling(null);
    if (this.#parts.startedMalloc) mallocSampling().control?.stop();
    await this.#parts.objects?.stop();
  }
}

/** A dump of malloc's samples; nothing where there are none. */
async function takeMalloc(interval: number): Promise<HeapProfile> {
  const { control } = mallocSampling();
  const { pid } = process;
  const at = Date.now();
  if (control === null) {
    const empty = { samples: [], mappings: [], absent: {}, notes: [] };
    return { at, milliseconds: null, pid, interval, ...empty };
  }
  const directory = mkdtempSync(join(tmpdir(), "offheap-heap-"));
  const file = join(directory, "heap");
  try {
    control.dump(file);
    const ownPid = agentProcess(pid)?.ownPid ?? pid;
    const files = lookAtProcess({ directory: "/proc/self", ownPid });
    return await assembleProfile(readDump(readFileSync(file, "latin1"), file), files, { pid, at });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/**
 * What malloc's samples show, where others have started them.
 *
 * @throws {HeapProfileError} when nobody has.
 */
export async function snapshotOfMalloc(): Promise<HeapProfile> {
  if (!isMallocSampled()) {
    throw new HeapProfileError(
      "Cannot take a heap profile: nothing is sampled. Call heapProfile.start(), or start the program by " +
        '"offheap run --heap-profiling --active -- …".',
    );
  }
  const why = "heapProfile.start() was not called";
  const profile = await takeMalloc(DEFAULT_INTERVAL);
  return { ...profile, absent: { blocks: why, javascript: why } };
}
