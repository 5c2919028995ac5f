/**
 * Native work on pictures: libvips through sharp, which takes its memory by `malloc` in every
 * runtime.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { scrypt } from "node:crypto";
import type sharp from "sharp";

/** What came of a picture. */
export interface Picture {
  /** Equal for equal input. */
  readonly pixels: Uint8Array;
  /** As it is sent and kept. */
  readonly file: Uint8Array;
}

/** Makes a small picture of a large one, `width` by `height` pixels of three bytes. */
export type Resize = (pixels: Buffer, width: number, height: number) => Promise<Picture>;

/** How wide the small ones are. */
const THUMBNAIL = 320;
const CHANNELS = 3;

type Sharp = typeof sharp;

const loadSharp = async (): Promise<Sharp> => (await import("sharp")).default;

/** scrypt's memory is 128 times both numbers, in bytes: 8 MiB. */
const SCRYPT = { N: 8192, r: 8, p: 1 };

/** Instead of libvips where it cannot be loaded: OpenSSL's scrypt, which fills 8 MiB. */
function scryptInstead(pixels: Buffer): Promise<Picture> {
  return new Promise((resolve, reject) => {
    scrypt(pixels.subarray(0, 1024), "picture", THUMBNAIL, SCRYPT, (error, key) => {
      if (error) reject(error); // null, and undefined in Bun, without an error
      else resolve({ pixels: key, file: Buffer.from(key) });
    });
  });
}

/**
 * Loads sharp. Its threads are set to one: left alone, it takes one with glibc's allocator and as
 * many as there are processors with jemalloc, and the subjects would not do the same.
 */
export async function openImages(
  load: () => Promise<Sharp> = loadSharp,
  warn: (text: string) => void = console.error,
): Promise<Resize> {
  let vips: Sharp;
  try {
    vips = await load();
  } catch (error) {
    warn(`sharp cannot be loaded here (${error}): pictures are replaced by node:crypto's scrypt`);
    return scryptInstead;
  }
  vips.concurrency(1);
  return async (input, width, height) => {
    const small = vips(input, { raw: { width, height, channels: CHANNELS } }).resize(THUMBNAIL);
    const [pixels, file] = await Promise.all([
      small.clone().raw().toBuffer(),
      small.clone().webp({ quality: 80, effort: 1 }).toBuffer(),
    ]);
    return { pixels, file };
  };
}
