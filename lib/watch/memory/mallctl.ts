/**
 * jemalloc's `mallctl` namespace for programs: typed by key, with statistics that are up to date.
 *
 * @module
 */
import { inspect } from "node:util";
import {
  MALLCTL_COMMANDS,
  MALLCTL_KEYS,
  MALLCTL_WRITABLE_KEYS,
  type MallctlCommand,
  type MallctlName,
  type WritableMallctl,
} from "../../allocators/jemalloc/keys.ts";
import type { MallctlValue } from "../../allocators/jemalloc/mallctl.ts";
import { MallctlNamespace, type WritableValue } from "../../allocators/jemalloc/namespace.ts";
import { ENCODERS } from "../../allocators/jemalloc/value-types.ts";
import { ownOptions } from "../../options.ts";
import { LIBRARIES, withPermissions } from "../../permissions.ts";
import { proveOwnBlocks } from "../../verify/own-blocks.ts";
import type { VerifyOptions } from "../../verify/options.ts";

/** Keys that jemalloc updates only when asked. */
const COUNTED = /^stats\./;

/** Numbers of arenas and size classes are below. */
const MAX_INDEX = 4097;

const ACTION = "use mallctl";

/**
 * The namespace of a jemalloc, as in its manual, "MALLCTL NAMESPACE". `<i>` in a key is the number
 * that is given after it, of an arena or a size class; `<j>` the one after that.
 *
 * @example
 * ```ts
 * import { type Mallctl, MallctlError, openMallctl } from "@offheap/offheap";
 *
 * function countArenas(namespace: Mallctl): number {
 *   return namespace.read("arenas.narenas");
 * }
 *
 * const jemalloc = openMallctl();
 * console.log(countArenas(jemalloc), jemalloc.read("stats.arenas.<i>.small.allocated", 0));
 * jemalloc.write("arena.<i>.dirty_decay_ms", 500, 0);
 * jemalloc.run("arena.<i>.purge", 0);
 * try {
 *   jemalloc.read("prof.interval"); // only where it was built with profiling
 * } catch (error) {
 *   if (error instanceof MallctlError) console.log(error.key, error.errno);
 * }
 * ```
 */
export interface Mallctl {
  /**
   * Reads a key. What is counted is brought up to date before.
   *
   * @throws {MallctlError} with jemalloc's error number: 2 (`ENOENT`) for what it does not have.
   * @throws {TypeError | RangeError} for what is no key, or no number of one.
   */
  read<K extends MallctlName>(key: K, index?: number, sizeClass?: number): MallctlValue<K>;
  /**
   * Reads several keys as they were at one moment.
   *
   * @throws As {@linkcode Mallctl.read}.
   */
  readAll<const K extends readonly MallctlName[]>(
    keys: K,
    index?: number,
  ): { readonly [Key in K[number]]: MallctlValue<Key> };
  /**
   * Writes a key.
   *
   * @throws {MallctlError} with jemalloc's error number.
   * @throws {TypeError | RangeError} for what is no such key, or no value or number of one.
   */
  write<K extends WritableMallctl>(key: K, value: WritableValue<K>, index?: number): void;
  /**
   * Does what a key without a value does.
   *
   * @throws {MallctlError} with jemalloc's error number.
   * @throws {TypeError | RangeError} for what is no such key, or no number of one.
   */
  run(key: MallctlCommand, index?: number): void;
}

function requireKey(key: unknown, known: object, what: string): void {
  if (typeof key === "string" && Object.hasOwn(known, key)) return;
  const Kind = typeof key === "string" ? RangeError : TypeError;
  throw new Kind(`Cannot ${ACTION}: the key must be one that is ${what}; got ${inspect(key)}`);
}

function requireIndex(index: number): void {
  if (Number.isSafeInteger(index) && index >= 0 && index < MAX_INDEX) return;
  const Kind = typeof index === "number" ? RangeError : TypeError;
  throw new Kind(
    `Cannot ${ACTION}: the number of an arena or a size class must be a whole number from 0 to ` +
      `${MAX_INDEX - 1}; got ${inspect(index)}`,
  );
}

const COMMANDS = Object.fromEntries(MALLCTL_COMMANDS.map((key) => [key, true]));

class NamespaceForPrograms implements Mallctl {
  readonly #open: () => MallctlNamespace;
  #namespace: MallctlNamespace | undefined;

  constructor(open: () => MallctlNamespace) {
    this.#open = open;
  }

  get #own(): MallctlNamespace {
    return this.#namespace ??= this.#open();
  }

  read<K extends MallctlName>(key: K, index = 0, sizeClass = 0): MallctlValue<K> {
    requireKey(key, MALLCTL_KEYS, "read");
    requireIndex(index);
    requireIndex(sizeClass);
    if (COUNTED.test(key)) this.#own.refresh();
    return this.#own.read(key, index, sizeClass);
  }

  readAll<const K extends readonly MallctlName[]>(
    keys: K,
    index = 0,
  ): { readonly [Key in K[number]]: MallctlValue<Key> } {
    for (const key of keys) requireKey(key, MALLCTL_KEYS, "read");
    requireIndex(index);
    this.#own.refresh();
    const values = keys.map((key) => [key, this.#own.read(key, index)]);
    return Object.fromEntries(values) as { readonly [Key in K[number]]: MallctlValue<Key> };
  }

  write<K extends WritableMallctl>(key: K, value: WritableValue<K>, index = 0): void {
    requireKey(key, MALLCTL_WRITABLE_KEYS, "written");
    requireIndex(index);
    const { type, wanted, accepts } = ENCODERS[MALLCTL_WRITABLE_KEYS[key]];
    if (!accepts(value)) {
      const given: string = typeof value;
      const Kind = given === type ? RangeError : TypeError;
      throw new Kind(`Cannot ${ACTION}: "${key}" must be ${wanted}; got ${inspect(value)}`);
    }
    this.#own.write(key, value, index);
  }

  run(key: MallctlCommand, index = 0): void {
    requireKey(key, COMMANDS, "run");
    requireIndex(index);
    this.#own.run(key, index);
  }
}

function open(options: VerifyOptions): MallctlNamespace {
  return withPermissions(LIBRARIES, () => {
    const { resolved } = proveOwnBlocks(ACTION, { ...options, allocator: "jemalloc" });
    return new MallctlNamespace(resolved?.path ?? null);
  });
}

/**
 * Opens the namespace of a jemalloc: of the one that serves this process, or else of the library of
 * offheap's own blocks, whichever allocator is the default.
 *
 * @param options Which library, as for {@linkcode verifyAllocator}.
 * @throws {LibraryLoadError} when there is none.
 * @throws {PermissionError} when the runtime does not permit FFI, reading, or the environment.
 * @throws {TypeError | RangeError} for bad options.
 */
export function openMallctl(options: Omit<VerifyOptions, "allocator"> = {}): Mallctl {
  const namespace = open(ownOptions(ACTION, options, ["library", "variant"]));
  return new NamespaceForPrograms(() => namespace);
}

/**
 * The namespace that {@linkcode openMallctl} opens without options, opened at the first use.
 *
 * @example
 * ```ts
 * import { mallctl } from "@offheap/offheap";
 *
 * console.log(mallctl.read("stats.allocated"), mallctl.read("opt.dirty_decay_ms"));
 * ```
 */
export const mallctl: Mallctl = new NamespaceForPrograms(() => open({}));
