/**
 * The code of pages as modules of texts: a page asks nobody for anything, and JSR publishes modules alone.
 *
 * @module
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { build, type Metafile } from "esbuild";
import { ROOT } from "../../tools/paths.ts";
import { bundledNotices } from "../npm/notices.ts";

/** One text. */
interface Part {
  /** Its source, from the root. */
  readonly source: string;
  /** The module that is made of it. */
  readonly made: string;
  /** The constant's name, and what it is. */
  readonly name: string;
  readonly what: string;
}

const PARTS: readonly Part[] = [
  {
    source: "scripts/pages/heap/page.js",
    made: "lib/watch/heap/page/script.ts",
    name: "PAGE_SCRIPT",
    what: "What runs in the page of a heap profile.",
  },
  {
    source: "scripts/pages/serve/page.js",
    made: "lib/watch/serve/page/script.ts",
    name: "PAGE_SCRIPT",
    what: "What runs in the page.",
  },
  {
    source: "scripts/pages/serve/page.css",
    made: "lib/watch/serve/page/style.ts",
    name: "PAGE_STYLE",
    what: "How the page looks.",
  },
];

/** Where the licences are of what is in a directory's texts. */
const LICENCES = "LICENSES.md";

/** The files of licences, from the root. */
export const PAGE_LICENCES: readonly string[] = [
  ...new Set(PARTS.map(({ made }) => join(dirname(made), LICENCES))),
];

interface Bundle {
  readonly text: string;
  readonly metafile: Metafile;
}

async function bundle(source: string): Promise<Bundle> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [source],
    outdir: "out",
    bundle: true,
    minify: true,
    format: "iife",
    target: "es2022",
    legalComments: "none",
    logLevel: "warning",
    metafile: true,
    write: false,
    // Not by what configuration is found above.
    tsconfigRaw: {},
    ...(source.endsWith(".js") ? { loader: { ".css": "empty" as const } } : {}),
  });
  // A page ends its script at the first of these.
  const text = (outputFiles[0]?.text ?? "").trim().replaceAll("</script", "<\\/script");
  return { text, metafile };
}

function moduleText({ source, name, what }: Part, text: string): string {
  return `/**
 * Made by \`npm run build:pages\` of ${source}; ${LICENCES} has the licences of what is in it.
 *
 * @module
 */

/** ${what} */
export const ${name}: string = ${JSON.stringify(text)};
`;
}

/** Writes a file that is not there, or other; whether it was. */
function write(path: string, text: string): boolean {
  const file = join(ROOT, path);
  if (existsSync(file) && readFileSync(file, "utf8") === text) return false;
  writeFileSync(file, text);
  return true;
}

/** Makes the modules that are missing or old; their paths from the root. */
export async function makePages(): Promise<string[]> {
  const bundles = await Promise.all(PARTS.map(({ source }) => bundle(source)));
  const modules = PARTS.map((part, index) =>
    [part.made, moduleText(part, bundles[index]?.text ?? "")] as const
  );
  const licences = PAGE_LICENCES.map((path) => {
    const metafiles = bundles
      .filter((_, index) => dirname(PARTS[index]?.made ?? "") === dirname(path))
      .map(({ metafile }) => metafile);
    return [path, `# Licences of what is here\n${bundledNotices(metafiles, ROOT)}`] as const;
  });
  return [...modules, ...licences].flatMap(([path, text]) => write(path, text) ? [path] : []);
}
