/**
 * Profiles: sets of allocator options for a purpose. What each sets is defined by the allocators, by
 * version.
 *
 * @module
 */

/**
 * The name of a profile:
 * - `balanced`: for long-running services; memory is given back soon after a burst;
 * - `throughput`: for work of large blocks and many threads; memory is kept, page faults are avoided;
 * - `low-memory`: for small containers; the least memory is held back, by fewer arenas and smaller
 *   caches.
 */
export type ProfileName = "balanced" | "throughput" | "low-memory";

/** Every {@linkcode ProfileName}. */
export const PROFILE_NAMES: readonly ProfileName[] = ["balanced", "throughput", "low-memory"];

/** The profile that is taken unless another is named. */
export const DEFAULT_PROFILE: ProfileName = "balanced";

/** One option of an allocator. */
export interface ProfileOption {
  /** The allocator's own name for it: a key of `MALLOC_CONF`, or a variable. */
  readonly name: string;
  /** Its value. */
  readonly value: string;
  /** Other names by which the same option can be set. */
  readonly aliases?: readonly string[];
  /** The first version that knows it, where the range begins before. */
  readonly since?: string;
  /** Its value where offheap's agent gives memory back at rest. */
  readonly withAgent?: string;
  /** The variable of offheap's shim that asks for it, where the allocator's own would do harm. */
  readonly variable?: string;
}

/** The options for one range of an allocator's versions. */
export interface ProfileRange {
  /** The first version of the range. */
  readonly from: string;
  /** The first version after the range; `null` when it is open. */
  readonly before: string | null;
  /** The options; none means that the allocator's own defaults serve the purpose. */
  readonly options: readonly ProfileOption[];
}

/** What each profile sets for one allocator, by its versions, oldest first. */
export type Profiles = Readonly<Record<ProfileName, readonly ProfileRange[]>>;

/** What a profile adds to an environment. */
export interface ProfileEnvironment {
  /** The variables to set, each with its whole value. */
  readonly variables: Readonly<Record<string, string>>;
  /** The options that the profile has and the user's own setting was kept for. */
  readonly kept: readonly string[];
  /** What the allocator will not take of the user's settings, or takes by another name; sentences. */
  readonly notes: readonly string[];
}
