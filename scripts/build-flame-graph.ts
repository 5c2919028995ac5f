/**
 * Makes `lib/watch/heap/page/script.ts`: what runs in the page of a heap profile, d3-flame-graph among it,
 * as one text. A page asks nobody for anything, and JSR publishes sources only, so that the text has to
 * be one.
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { build } from "esbuild";
import { ROOT } from "../tools/runtimes.ts";
import { bundledNotices } from "./npm/notices.ts";

/** The file that is made. */
export const SCRIPT_FILE: string = join(ROOT, "lib", "watch", "heap", "page", "script.ts");

/** The licences of what is in it. */
export const LICENCES_FILE: string = join(ROOT, "lib", "watch", "heap", "page", "LICENSES.md");

/** What the two files must have in them. */
export async function makeFlameGraph(): Promise<{ script: string; licences: string }> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: ["scripts/flame-graph/page.js"],
    outdir: "out",
    bundle: true,
    minify: true,
    format: "iife",
    target: "es2022",
    metafile: true,
    write: false,
    legalComments: "none",
    loader: { ".css": "empty" },
  });
  const [{ text = "" } = {}] = outputFiles;
  // A page ends its script at the first of these.
  const safe = text.trim().replaceAll("</script", "<\\/script");
  const script = `/**
 * Made by \`npm run build:flame-graph\` of scripts/flame-graph/page.js, d3-flame-graph and the parts of d3 that
 * it uses: see LICENSES.md. Do not change it here.
 *
 * @module
 */

/** What runs in the page of a heap profile. */
export const PAGE_SCRIPT: string =
  // deno-fmt-ignore
  ${JSON.stringify(safe)};
`;
  const licences = `# Licences of what is in script.ts\n${bundledNotices([metafile], ROOT)}`;
  return { script, licences };
}

if (process.argv[1] === import.meta.filename) {
  const { script, licences } = await makeFlameGraph();
  writeFileSync(SCRIPT_FILE, script);
  writeFileSync(LICENCES_FILE, licences);
  console.log(`${SCRIPT_FILE}: ${readFileSync(SCRIPT_FILE).length} bytes`);
}
