/**
 * Pictures by sharp: each is made smaller in three sizes and compressed as JPEG and WebP.
 *
 *     node bench/programs/images.ts COUNT
 *
 * @module
 */
import process from "node:process";
import sharp from "sharp";

const SIZE = { width: 1600, height: 1200, channels: 3 } as const;
const WIDTHS = [1024, 512, 128] as const;
/** sharp itself takes more threads where it finds jemalloc: the same for all is compared. */
sharp.concurrency(2);
sharp.cache(false);

/** A picture with something to compress in it. */
async function picture(seed: number): Promise<Uint8Array> {
  const pixels = new Uint8Array(SIZE.width * SIZE.height * SIZE.channels);
  for (let at = 0; at < pixels.length; at++) pixels[at] = (at * (seed + 3)) >> 7;
  return await sharp(pixels, { raw: SIZE }).png({ compressionLevel: 1 }).toBuffer();
}

const count = Number(process.argv[2]);
const begin = performance.now();
let bytes = 0;
for (let seed = 0; seed < count; seed++) {
  const original = await picture(seed);
  const outputs = await Promise.all(WIDTHS.flatMap((width) => [
    sharp(original).resize({ width }).jpeg().toBuffer(),
    sharp(original).resize({ width }).webp({ effort: 1 }).toBuffer(),
  ]));
  bytes += outputs.reduce((sum, { length }) => sum + length, 0);
}
const seconds = (performance.now() - begin) / 1000;
console.log(`${bytes} bytes, images/s: ${(count / seconds).toFixed(3)}`);
