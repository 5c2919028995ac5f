/**
 * An image pipeline over a bounded pool: frames are generated, blurred and thresholded in RGBA
 * buffers of native memory, at most three at once, however many frames there are.
 *
 * ```sh
 * node examples/off-heap/image-pipeline.ts
 * ```
 *
 * @module
 */
import { createHash } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { type Lease, openAllocator } from "../../mod.ts";

const WIDTH = 320;
const HEIGHT = 200;
const FRAMES = 24;
/** Red, green, blue and alpha. */
const CHANNELS = 4;

/** A gradient that moves from frame to frame, with a square in it. */
function generate(pixels: Uint8Array, frame: number): void {
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) {
      const at = (y * WIDTH + x) * CHANNELS;
      const inside = Math.abs(x - 40 - frame * 10) < 30 && Math.abs(y - 100) < 30;
      pixels[at] = inside ? 255 : (x + frame) % 256;
      pixels[at + 1] = inside ? 255 : y;
      pixels[at + 2] = inside ? 255 : 64;
      pixels[at + 3] = 255;
    }
  }
}

/** Each value becomes a mean of itself and its two neighbours in a row of `count`, in place. */
function blurLine(pixels: Uint8Array, begin: number, step: number, count: number): void {
  let before = pixels[begin] ?? 0;
  for (let i = 0; i < count; i++) {
    const at = begin + i * step;
    const here = pixels[at] ?? 0;
    const after = i + 1 < count ? pixels[at + step] ?? 0 : here;
    pixels[at] = (before + 2 * here + after) >> 2;
    before = here;
  }
}

function blur(pixels: Uint8Array): void {
  const row = WIDTH * CHANNELS;
  for (let channel = 0; channel < 3; channel++) {
    for (let y = 0; y < HEIGHT; y++) blurLine(pixels, y * row + channel, CHANNELS, WIDTH);
    for (let x = 0; x < WIDTH; x++) blurLine(pixels, x * CHANNELS + channel, row, HEIGHT);
  }
}

/** Black or white by brightness, on whole pixels; how many are white. */
function threshold(pixels: Uint32Array): number {
  let white = 0;
  for (let i = 0; i < pixels.length; i++) {
    const rgba = pixels[i] ?? 0;
    const sum = (rgba & 255) + ((rgba >> 8) & 255) + ((rgba >> 16) & 255);
    const isWhite = sum > 480;
    if (isWhite) white++;
    pixels[i] = isWhite ? 0xffffffff : 0xff000000;
  }
  return white;
}

const memory = openAllocator();
const pool = memory.pool({ blockSize: WIDTH * HEIGHT * CHANNELS, max: 3 });
const signal: AbortSignal = AbortSignal.timeout(30_000);

/** One frame, with a buffer of its own from the first stage to the last. */
async function render(frame: number): Promise<{ white: number; digest: string }> {
  const lease: Lease = await pool.wait({ signal });
  try {
    generate(lease.bytes, frame);
    await turn(); // as if the next stage were elsewhere: other frames go on meanwhile
    blur(lease.bytes);
    await turn();
    const white = threshold(lease.as(Uint32Array));
    return { white, digest: createHash("sha256").update(lease.bytes).digest("hex") };
  } finally {
    lease.release();
  }
}

const rendering: Promise<{ white: number; digest: string }>[] = [];
for (let frame = 0; frame < FRAMES; frame++) rendering.push(render(frame));
console.log(`${pool.statistics().leased} frames at once, ${pool.statistics().waiting} waiting`);

const frames = await Promise.all(rendering);
const all = createHash("sha256").update(frames.map(({ digest }) => digest).join("")).digest("hex");
console.log(`white pixels: ${frames.map(({ white }) => white).slice(0, 4).join(", ")}, …`);
console.log(`checksum: ${all.slice(0, 16)}`);

const { leases, allocations, idle } = pool.statistics();
console.log(`${leases} leases, ${allocations} buffers allocated, ${idle} idle`);
pool.close();
memory.close();
