/**
 * The guide's pictures of the page of `offheap serve`, small, from those that its test has taken:
 * `npm test -- serve-page --runtime node26 --everywhere`, then `npm run build:pictures`.
 *
 * @module
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import sharp from "sharp";
import { ROOT } from "../tools/paths.ts";

const TAKEN = join(ROOT, "build", "tests", "serve-page");
const PICTURES = join(ROOT, "docs", "user-guide", "pictures");

/** Which picture becomes which, and what of it is shown. */
const ROWS = [
  { from: "process", to: "serve-process", width: 1200, height: 1290 },
  { from: "list", to: "serve-list", width: 1200, height: 240 },
  { from: "phone-process", to: "serve-phone", width: 390, height: 844 },
] as const;

new Command("npm run build:pictures --").description("Makes the guide's pictures.").parse();
mkdirSync(PICTURES, { recursive: true });
for (const { from, to, width, height } of ROWS) {
  const file = join(PICTURES, `${to}.png`);
  const { size } = await sharp(join(TAKEN, `${from}.png`))
    .extract({ left: 0, top: 0, width, height })
    .png({ palette: true, colours: 64, compressionLevel: 9 })
    .toFile(file);
  console.log(`${to}.png: ${size} bytes`);
}
