/**
 * Heap profiles of this process, for programs.
 *
 * @module
 */
import { inspect } from "node:util";
import { isSampleInterval, SAMPLE_INTERVALS } from "../../allocators/sampling.ts";
import { HeapProfileError } from "../../errors.ts";
import { glance, ownOptions, requireFlag } from "../../options.ts";
import { FIGURES, withPermissions } from "../../permissions.ts";
import type { Session } from "./session.ts";
import type { HeapProfile } from "./types.ts";

/** What {@linkcode HeapProfiler.start} samples. */
export interface HeapProfileOptions {
  /**
   * The bytes between two samples, on average: a power of two from 1,024 to 2^30. Without it the interval
   * that `offheap run --heap-profiling` has set, else 524,288 (512 KiB). Where malloc was sampled with
   * another one, jemalloc forgets what it has sampled.
   */
  readonly sampleInterval?: number | undefined;
  /** Whether V8's own objects are sampled, too; `true` by default. */
  readonly javascript?: boolean | undefined;
}

/** Takes heap profiles of this process. */
export interface HeapProfiler {
  /** Whether memory is sampled now: by {@linkcode HeapProfiler.start}, or from the program's start on. */
  isActive(): Promise<boolean>;
  /**
   * Samples allocations from now on: those of malloc, where jemalloc serves the process and was prepared
   * by `offheap run --heap-profiling`; this thread's blocks of {@linkcode openAllocator} from other
   * libraries; and this thread's objects, where the runtime is V8's. What cannot be sampled is named,
   * with its reason, by {@linkcode HeapProfile.absent}.
   *
   * @throws {HeapProfileError} when it was started before.
   * @throws {TypeError | RangeError} for bad options.
   * @throws {PermissionError} when the runtime does not permit FFI, reading, or the environment.
   */
  start(options?: HeapProfileOptions): Promise<void>;
  /**
   * What is in use now of what was sampled.
   *
   * @throws {HeapProfileError} when nothing is sampled, or what was sampled cannot be read.
   */
  snapshot(): Promise<HeapProfile>;
  /**
   * Ends what {@linkcode HeapProfiler.start} has started.
   *
   * @throws {HeapProfileError} when it was not.
   */
  stop(): Promise<void>;
  /**
   * A profile as a file: gzipped pprof, for `go tool pprof`, Pyroscope and others, and `offheap heap FILE`.
   *
   * @throws {TypeError} for what is no profile.
   */
  encode(profile: HeapProfile): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * What the second profile has more than the first.
   *
   * @throws {TypeError} for what is no profile.
   */
  difference(before: HeapProfile, after: HeapProfile): Promise<HeapProfile>;
}

const ACTION = "start a heap profile";

function requireProfiles(action: string, ...profiles: readonly unknown[]): void {
  for (const profile of profiles) {
    if (typeof profile === "object" && profile !== null && "samples" in profile) continue;
    throw new TypeError(
      `Cannot ${action}: a profile must be what snapshot() gave; got ${glance(profile)}`,
    );
  }
}

function checkInterval(value: unknown): void {
  if (value === undefined) return;
  const isNumber = typeof value === "number";
  if (isNumber && isSampleInterval(value)) return;
  const Kind = isNumber ? RangeError : TypeError;
  throw new Kind(
    `Cannot ${ACTION}: sampleInterval must be a power of two from ` +
      `${SAMPLE_INTERVALS.min} to ${SAMPLE_INTERVALS.max}; got ${inspect(value)}`,
  );
}

/** What was started, from the call on: another one must not start meanwhile. */
let started: Promise<Session> | null = null;

/** What takes profiles is loaded when one is taken. */
class LazyProfiler implements HeapProfiler {
  async isActive(): Promise<boolean> {
    if (started !== null) return true;
    const { isMallocSampled } = await import("./session.ts");
    return withPermissions(FIGURES, isMallocSampled);
  }

  async start(options: HeapProfileOptions = {}): Promise<void> {
    const own = ownOptions(ACTION, options, ["sampleInterval", "javascript"]);
    checkInterval(own.sampleInterval);
    requireFlag(ACTION, "javascript", own.javascript);
    if (started !== null) {
      throw new HeapProfileError(`Cannot ${ACTION}: one was started. Stop it with stop() before.`);
    }
    const { sampleInterval: interval, javascript: objects = true } = own;
    started = import("./session.ts").then(({ Session }) => Session.start({ interval, objects }));
    try {
      await started;
    } catch (error) {
      started = null;
      throw error;
    }
  }

  async snapshot(): Promise<HeapProfile> {
    if (started !== null) return await (await started).snapshot();
    return await (await import("./session.ts")).snapshotOfMalloc();
  }

  async stop(): Promise<void> {
    const session = started;
    if (session === null) {
      throw new HeapProfileError("Cannot stop the heap profile: none was started.");
    }
    started = null;
    await (await session).stop();
  }

  async encode(profile: HeapProfile): Promise<Uint8Array<ArrayBuffer>> {
    requireProfiles("encode a heap profile", profile);
    const { encodeProfile } = await import("./pprof.ts");
    return new Uint8Array(await encodeProfile(profile));
  }

  async difference(before: HeapProfile, after: HeapProfile): Promise<HeapProfile> {
    requireProfiles("compare heap profiles", before, after);
    return (await import("./difference.ts")).profileDifference(before, after);
  }
}

/**
 * Heap profiles of this process: which stacks hold memory.
 *
 * @example
 * ```ts
 * import { heapProfile, openAllocator } from "@offheap/offheap";
 *
 * const memory = openAllocator();
 * await heapProfile.start({ sampleInterval: 1024 });
 * const kept = Array.from({ length: 100 }, () => memory.allocate(10_000));
 * const profile = await heapProfile.snapshot();
 * await heapProfile.stop();
 * for (const { source, inUse, stack } of profile.samples) {
 *   const [caller] = stack.filter(({ kind }) => kind === "javascript");
 *   if (source !== "javascript") console.log(inUse.bytes, caller?.name, caller?.line);
 * }
 * console.log(profile.absent, (await heapProfile.encode(profile)).length > 0, kept.length);
 * memory.close();
 * ```
 */
export const heapProfile: HeapProfiler = new LazyProfiler();
