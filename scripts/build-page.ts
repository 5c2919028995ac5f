/**
 * Makes the script and the style sheet of the page of `offheap serve` from `scripts/page` and uPlot:
 * `npm run build:page`. They are committed, as the sources have to run as they are.
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { ROOT } from "../tools/runtimes.ts";

/** The files that are made, by their paths in the checkout. */
export type MadeFiles = Readonly<Record<string, string>>;

const DIRECTORY = "lib/watch/serve/page";

async function bundle(entry: string): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints: [join("scripts", "page", entry)],
    bundle: true,
    minify: true,
    write: false,
    format: "iife",
    target: "es2022",
    legalComments: "none",
    logLevel: "warning",
    // Not by what configuration is found above.
    tsconfigRaw: {},
  });
  return (outputFiles[0]?.text ?? "").trimEnd();
}

function moduleText(name: string, what: string, text: string): string {
  return `/**
 * Made by \`npm run build:page\` of scripts/page and uPlot. Do not change it here.
 *
 * @module
 */

/** ${what} */
export const ${name}: string =
  // deno-fmt-ignore
  ${JSON.stringify(text)};
`;
}

/** Makes the files. */
export async function makePage(): Promise<MadeFiles> {
  return {
    [`${DIRECTORY}/script.ts`]: moduleText(
      "PAGE_SCRIPT",
      "What runs in the page.",
      await bundle("page.js"),
    ),
    [`${DIRECTORY}/style.ts`]: moduleText(
      "PAGE_STYLE",
      "How the page looks.",
      await bundle("page.css"),
    ),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [path, text] of Object.entries(await makePage())) {
    writeFileSync(join(ROOT, path), text);
    console.log(`${path}: ${readFileSync(join(ROOT, path)).length} bytes`);
  }
}
