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

/** Sampling that this program has started. */
export class Session {
  readonly #objects: ObjectSampling | null = null;
  readonly #startedMalloc: boolean = false;
  readonly #absent: Absent = {};
  readonly #interval: number;

  /** Starts it. */
  constructor({ interval, objects }: SessionOptions) {
    const { control, refused } = mallocSampling();
    if (control === null) this.#absent.malloc = refused;
    else {
      this.#startedMalloc = !control.state().active;
      control.start(interval);
    }
    this.#interval = control?.state().interval ?? interval ?? DEFAULT_INTERVAL;
    setBlockSampling(new BlockSampling(this.#interval));
    const sampling = objects ? sampleObjects(this.#interval) : "it was not asked for";
    if (typeof sampling === "string") this.#absent.javascript = sampling;
    else this.#objects = sampling;
  }

  /** What is in use now. */
  async snapshot(): Promise<HeapProfile> {
    const native = await takeMalloc(this.#interval);
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
        ...this.#objects?.samples() ?? [],
      ],
      absent: this.#absent,
    };
  }

  /** Ends it. What was started by others goes on. */
  stop(): void {
    setBlockSampling(null);
    this.#objects?.stop();
    if (this.#startedMalloc) mallocSampling().control?.stop();
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
