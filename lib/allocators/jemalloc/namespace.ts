/**
 * jemalloc's `mallctl` namespace for what is read often: each key's name is looked up once, and then
 * asked for by its numbers (its MIB).
 *
 * @module
 */
import { ffi } from "../../../ffi/mod.ts";
import { JEMALLOC_PREFIX, JEMALLOC_SYMBOLS } from "../../../ffi/symbols/jemalloc.ts";
import type { Calls, NativeLibrary } from "../../../ffi/types.ts";
import { MallctlError } from "../../errors.ts";
import {
  ARENA_CREATE_KEY,
  EPOCH_KEY,
  type HeapCommand,
  MALLCTL_KEYS,
  MALLCTL_WRITABLE_KEYS,
  type MallctlCommand,
  type MallctlName,
  type WritableMallctl,
} from "./keys.ts";
import { ENOENT, type MallctlValue } from "./mallctl.ts";
import { CODECS, ENCODERS, type MallctlCodec, type MallctlValues } from "./value-types.ts";

const { mallctlnametomib, mallctlbymib } = JEMALLOC_SYMBOLS;
const SYMBOLS = { mallctlnametomib, mallctlbymib };

/** The value that is written to a key. */
export type WritableValue<K extends WritableMallctl> =
  MallctlValues[(typeof MALLCTL_WRITABLE_KEYS)[K]];

/** The keys whose values are numbers, not too large for exact ones. */
export type NumberKey = {
  [K in MallctlName]: MallctlValue<K> extends number ? K : never;
}[MallctlName];

/** The numbers of a key, and where in them an arena's and a size class's are. */
interface Mib {
  readonly numbers: BigUint64Array;
  readonly arena: number;
  readonly sizeClass: number;
}

/** The widest value. */
const VALUE_BYTES = 8;

/** The namespace of one jemalloc. */
export class MallctlNamespace {
  readonly #library: NativeLibrary<typeof SYMBOLS>;
  readonly #calls: Calls<typeof SYMBOLS>;
  readonly #mibs = new Map<string, Mib>();
  readonly #value = new DataView(new ArrayBuffer(VALUE_BYTES));
  readonly #length = new BigUint64Array(1);
  readonly #next = BigUint64Array.of(1n);

  /** Opens the jemalloc in an object; `null` for the process itself. */
  constructor(object: string | null) {
    this.#library = ffi().open(object, SYMBOLS, JEMALLOC_PREFIX);
    this.#calls = this.#library.calls;
  }

  /**
   * Reads a key as it is: {@linkcode MallctlNamespace.refresh} brings what is counted up to date.
   *
   * @throws {MallctlError} with jemalloc's error number.
   */
  read<K extends MallctlName>(key: K, arena = 0, sizeClass = 0): MallctlValue<K> {
    return this.#read(key, CODECS[MALLCTL_KEYS[key]], arena, sizeClass) as MallctlValue<K>;
  }

  /** The same; `undefined` for what this jemalloc does not have. */
  readIfKnown<K extends MallctlName>(key: K, arena = 0): MallctlValue<K> | undefined {
    try {
      return this.read(key, arena);
    } catch (error) {
      if (error instanceof MallctlError && error.errno === ENOENT) return undefined;
      throw error;
    }
  }

  /**
   * Writes a key.
   *
   * @throws {MallctlError} with jemalloc's error number.
   */
  write<K extends WritableMallctl>(key: K, value: WritableValue<K>, arena = 0): void {
    const type = MALLCTL_WRITABLE_KEYS[key];
    const { bytes } = CODECS[type];
    const view = new DataView(new ArrayBuffer(bytes));
    const alive = ENCODERS[type].encode(view, value);
    this.#call(key, arena, 0, null, null, view, bytes);
    // Until here the text of a string may not be collected.
    if (alive instanceof Uint8Array) alive.fill(0);
  }

  /**
   * Does what a key without a value does.
   *
   * @throws {MallctlError} with jemalloc's error number.
   */
  run(key: MallctlCommand | HeapCommand, arena = 0): void {
    this.#call(key, arena, 0, null, null, null, 0);
  }

  /**
   * Makes an arena.
   *
   * @returns Its index.
   * @throws {MallctlError} with jemalloc's error number.
   */
  createArena(): number {
    return Number(this.#read(ARENA_CREATE_KEY, CODECS.unsigned, 0, 0));
  }

  /**
   * Brings what is counted up to date.
   *
   * @throws {MallctlError} with jemalloc's error number.
   */
  refresh(): void {
    this.#call(EPOCH_KEY, 0, 0, null, null, this.#next, VALUE_BYTES);
  }

  /** Ends the use of the library. */
  close(): void {
    this.#library.close();
  }

  #read(key: string, codec: MallctlCodec, arena: number, sizeClass: number): unknown {
    this.#length[0] = BigInt(codec.bytes);
    this.#call(key, arena, sizeClass, this.#value, this.#length, null, 0);
    return codec.decode(this.#value);
  }

  #call(
    key: string,
    arena: number,
    sizeClass: number,
    old: DataView | null,
    oldLength: BigUint64Array | null,
    next: ArrayBufferView | null,
    nextLength: number,
  ): void {
    const mib = this.#mibs.get(key) ?? this.#lookUp(key);
    const { numbers } = mib;
    if (mib.arena > 0) numbers[mib.arena] = BigInt(arena);
    if (mib.sizeClass > 0) numbers[mib.sizeClass] = BigInt(sizeClass);
    const errno = this.#calls.mallctlbymib(
      numbers,
      numbers.length,
      old,
      oldLength,
      next,
      nextLength,
    );
    if (errno !== 0) throw new MallctlError(nameOf(key, arena, sizeClass), errno);
  }

  #lookUp(key: string): Mib {
    const parts = key.split(".");
    const numbers = new BigUint64Array(parts.length);
    const length = BigUint64Array.of(BigInt(parts.length));
    // Arena 0 and size class 0 are always there.
    const errno = this.#calls.mallctlnametomib(nameOf(key, 0, 0), numbers, length);
    if (errno !== 0) throw new MallctlError(key, errno);
    const mib = { numbers, arena: parts.indexOf("<i>"), sizeClass: parts.indexOf("<j>") };
    this.#mibs.set(key, mib);
    return mib;
  }
}

function nameOf(key: string, arena: number, sizeClass: number): string {
  return key.replace("<i>", String(arena)).replace("<j>", String(sizeClass));
}
