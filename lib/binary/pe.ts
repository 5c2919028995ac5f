/**
 * A small reader of PE files of 64 bits (PE32+): what a program or library of Windows is made for,
 * what it needs, and what it exports.
 *
 * @module
 */
import { OffheapError } from "../../ffi/errors.ts";
import { ByteReader, type ByteSource } from "./bytes.ts";
import { guardOf, type NamedSource, withFile, withSource } from "./file-source.ts";
import {
  CHARACTERISTICS,
  DIRECTORY,
  DLL_CHARACTERISTICS,
  MACHINES,
  MAGIC,
  SUBSYSTEMS,
} from "./pe-constants.ts";
import { findDirectory, openImage, type PeImage } from "./pe-image.ts";
import { hasReproducibleEntry, type PeExport, readExports, readImports } from "./pe-tables.ts";

export type { PeExport } from "./pe-tables.ts";

/** A file is not a PE file that can be read, or it is truncated or damaged. */
export class PeError extends OffheapError {
  static {
    this.prototype.name = "PeError";
  }

  /** Makes the error with a sentence for the user. */
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_OFFHEAP_PE", message, options);
  }
}

/** What a PE file says of itself. */
export interface PeFile {
  /** The processor by Node's name (`x64`, `arm64`), or `machine N` for one that is not known. */
  readonly arch: string;
  /** `executable`, or `library` for a DLL. */
  readonly type: "executable" | "library";
  /** `gui`, `console`, … (of a DLL it means nothing), or `subsystem N`. */
  readonly subsystem: string;
  /** The libraries that it needs, in order, as they are written: Windows ignores the case. */
  readonly needed: readonly string[];
  /** The libraries that are loaded only when they are first called. */
  readonly delayed: readonly string[];
  /** Whether it may be loaded at any address (DYNAMIC_BASE). */
  readonly dynamicBase: boolean;
  /** Whether addresses above 4 GiB may be used for that (HIGH_ENTROPY_VA). */
  readonly highEntropy: boolean;
  /** Whether data is not executable (NX_COMPAT). */
  readonly noExecute: boolean;
  /** The time stamp: seconds since 1970, or a hash. */
  readonly timeStamp: number;
  /** Whether the stamp is zero or a hash of the file, so that building again gives the same file. */
  readonly reproducible: boolean;
  /** Whether it has a directory of thread-local storage. */
  readonly threadLocal: boolean;
}

/**
 * Reads the headers and imports of a PE file.
 *
 * @throws {PeError} when it is not a PE file of 64 bits, or is truncated or damaged. Errors of the
 * file system (missing, not readable) come as they are.
 */
export function readPe(place: string | NamedSource): PeFile {
  return withSource(place, (source, name) => guarded(name, () => parse(open(source, name))));
}

/**
 * Reads what the PE file at a path exports by name, sorted.
 *
 * @throws {PeError} as {@linkcode readPe} does.
 */
export function readPeExports(path: string): PeExport[] {
  return withFile(path, (source) => guarded(path, () => readExports(open(source, path))));
}

const guarded = guardOf("PE", PeError);

const OPTIONAL_HEADER_AT = 24;

function open(source: ByteSource, name: string): PeImage {
  const file = new ByteReader(source, true, 64);
  if (source.read(0, 2).length < 2 || file.u16(0) !== MAGIC.dos) {
    throw new PeError(`Cannot read "${name}": it is not a PE file.`);
  }
  const signature = file.u32(0x3c);
  if (file.u32(signature) !== MAGIC.pe) {
    throw new PeError(`Cannot read "${name}": it is a DOS program, not a PE file.`);
  }
  const magic = file.u16(signature + OPTIONAL_HEADER_AT);
  if (magic === MAGIC.pe32) {
    throw new PeError(`Cannot read "${name}": it is a PE file of 32 bits.`);
  }
  if (magic !== MAGIC.pe32Plus) throw new RangeError(`optional header ${magic}`);
  return openImage(source, signature + 4);
}

function parse(image: PeImage): PeFile {
  const { file, header, optional } = image;
  const machine = file.u16(header);
  const subsystem = file.u16(optional + 68);
  const flags = file.u16(optional + 70);
  const timeStamp = file.u32(header + 4);
  return {
    arch: MACHINES[machine] ?? `machine ${machine}`,
    type: (file.u16(header + 18) & CHARACTERISTICS.library) !== 0 ? "library" : "executable",
    subsystem: SUBSYSTEMS[subsystem] ?? `subsystem ${subsystem}`,
    needed: readImports(image, DIRECTORY.imports),
    delayed: readImports(image, DIRECTORY.delayImports),
    dynamicBase: (flags & DLL_CHARACTERISTICS.dynamicBase) !== 0,
    highEntropy: (flags & DLL_CHARACTERISTICS.highEntropy) !== 0,
    noExecute: (flags & DLL_CHARACTERISTICS.noExecute) !== 0,
    timeStamp,
    reproducible: timeStamp === 0 || hasReproducibleEntry(image),
    threadLocal: findDirectory(image, DIRECTORY.tls) !== null,
  };
}
