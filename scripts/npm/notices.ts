/**
 * The licences of packages whose code is in a bundle.
 *
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import type { Metafile } from "esbuild";

const PACKAGE = /^.*\bnode_modules\/(?:@[^/]+\/)?[^/]+/;

/**
 * The text that goes below `THIRD-PARTY-NOTICES.md`: each package's licence.
 *
 * @param modules The directory of the modules, to which the inputs are relative.
 * @throws {Error} when a package has no licence.
 */
export function bundledNotices(metafiles: readonly Metafile[], modules: string): string {
  const inputs = metafiles.flatMap((metafile) => Object.keys(metafile.inputs));
  const directories = inputs.flatMap((input) => PACKAGE.exec(input)?.[0] ?? [])
    .map((path) => resolve(modules, path));
  const sections = new Map([...new Set(directories)].map((directory) => {
    const { name, version } = JSON.parse(readFileSync(join(directory, "package.json"), "utf8"));
    const file = readdirSync(directory).find((entry) => /^licen[cs]e/i.test(basename(entry)));
    if (file === undefined) throw new Error(`Cannot bundle ${name}: its package has no licence`);
    const text = readFileSync(join(directory, file), "utf8").trimEnd();
    return [`${name} ${version}`, text] as const;
  }));
  return [...sections].sort(([a], [b]) => a < b ? -1 : 1)
    .map(([title, text]) => `\n## ${title}\n\n\`\`\`\n${text}\n\`\`\`\n`).join("");
}
