/**
 * A file on disk as a source of bytes, for the readers of binary formats.
 *
 * @module
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import type { ByteSource } from "./bytes.ts";

/** Bytes that are no file, with a name for messages. */
export interface NamedSource {
  /** The name. */
  readonly name: string;
  /** The bytes. */
  readonly source: ByteSource;
}

/** Uses a file, opened for as long as a function reads it, or bytes that are at hand. */
export function withSource<T>(
  place: string | NamedSource,
  use: (source: ByteSource, name: string) => T,
): T {
  return typeof place === "string"
    ? withFile(place, (source) => use(source, place))
    : use(place.source, place.name);
}

/** The bytes of an open file; one that says it is empty, as those of `/proc` do, may have any number. */
export function descriptorSource(descriptor: number, size: number): ByteSource {
  return {
    size: size > 0 ? size : Number.MAX_SAFE_INTEGER,
    read(offset, length) {
      const bytes = new Uint8Array(length);
      let done = 0;
      while (done < length) {
        const count = readSync(descriptor, bytes, done, length - done, offset + done);
        if (count === 0) break;
        done += count;
      }
      return bytes.subarray(0, done);
    },
  };
}

/** Opens the file at a path for as long as a function reads it. Errors come as they are. */
export function withFile<T>(
  path: string,
  use: (source: ByteSource, descriptor: number) => T,
): T {
  const descriptor = openSync(path, "r");
  try {
    return use(descriptorSource(descriptor, fstatSync(descriptor).size), descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Runs a format's readers: what is not all there becomes the format's own error, with the file's name. */
export function guardOf(
  format: string,
  Fault: new (message: string, options: ErrorOptions) => Error,
): <T>(name: string, read: () => T) => T {
  return (name, read) => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new Fault(`Cannot read "${name}": the ${format} file is truncated or damaged.`, {
        cause: error,
      });
    }
  };
}
