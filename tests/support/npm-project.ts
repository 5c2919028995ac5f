/**
 * Projects that have the packed npm package installed, beside the tools of `scripts/npm/tools`.
 *
 * @module
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { buildAll } from "../../scripts/npm/build.ts";
import { installLocked } from "../../scripts/npm/locked.ts";
import { cleanEnvironment, run } from "../../scripts/npm/process.ts";
import { temporaryDirectory } from "./compile.ts";
import { ROOT } from "./runtime.ts";

/** Where the tools are installed, or why they are not. */
export type Tools = { readonly directory: string } | { readonly missing: string };

/** Installs the tools, unless they are there. */
export function findTools(): Tools {
  try {
    return { directory: installLocked("tools") };
  } catch (error) {
    const said = error instanceof Error ? error.message.split("\n", 1)[0] : String(error);
    return { missing: `the tools could not be fetched from the npm registry (${said})` };
  }
}

/** A project with offheap and its platform package. */
export interface NpmProject {
  /** Its directory. */
  readonly directory: string;
  /** The path of a tool's file. */
  tool(path: string): string;
  /** Runs a command in it to its end, by a Node; the tests' own unless another is named. */
  run(words: readonly string[], node?: string): Promise<string>;
}

/** Prints how offheap does where it runs: what `EXPECTED` says, as JSON. */
export const PROGRAM = `
const memory = openAllocator();
const block = memory.allocate(64, { zeroed: true });
block.bytes.fill(7);
const sum = block.bytes.reduce((total, byte) => total + byte, 0);
block.free();
memory.close();
const { memoryAllocatorVerified: verified, library } = verifyAllocator();
const report = { sum, verified, origin: library?.origin };
`;

/** What the program reports when all is well. */
export const EXPECTED = { sum: 64 * 7, verified: true, origin: "package" } as const;

let packages: string | undefined;

/** The directory that the packages were built into, once. */
async function builtPackages(): Promise<string> {
  if (packages !== undefined) return packages;
  packages = temporaryDirectory();
  await buildAll({ out: packages, builder: "esbuild" });
  return packages;
}

/**
 * Makes a project; it is removed when this process ends.
 *
 * @param tools Where the tools are; they are found from a directory below.
 * @param files Its files.
 */
export async function npmProject(
  tools: string,
  files: Readonly<Record<string, string>>,
): Promise<NpmProject> {
  const directory = mkdtempSync(join(tools, "project-"));
  process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
  const modules = join(directory, "node_modules");
  cpSync(await builtPackages(), modules, { recursive: true });
  cpSync(join(ROOT, "node_modules", "@koromix"), join(modules, "@koromix"), { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
  return {
    directory,
    tool: (path) => join(tools, "node_modules", path),
    run: (words, node = process.execPath) =>
      run([node, ...words], {
        cwd: directory,
        env: cleanEnvironment(node, {
          // No library of the user's may stand in for the package's.
          HOME: directory,
          XDG_CACHE_HOME: join(directory, "cache"),
          NEXT_TELEMETRY_DISABLED: "1",
        }),
      }),
  };
}
