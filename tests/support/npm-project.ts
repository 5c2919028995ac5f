/**
 * Projects that have the packed npm package installed, beside the tools of `scripts/npm/tools`
 * or `scripts/npm/next`.
 *
 * @module
 */
import type { ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import process from "node:process";
import { buildAll, type BuiltPackages } from "../../scripts/npm/build.ts";
import { run } from "../../scripts/npm/process.ts";
import { cleanEnvironment } from "../../tools/environment.ts";
import { installLocked } from "../../tools/packages/locked.ts";
import { builtOnceAsync } from "./built-once.ts";
import { temporaryDirectory } from "./compile.ts";
import { ROOT } from "./runtime.ts";

/** Where the tools are installed, or why they are not. */
export type Tools = { readonly directory: string } | { readonly missing: string };

/** Installs the tools, or Next, which is three times as large, unless they are there. */
export function findTools(name: "tools" | "next" = "tools"): Tools {
  try {
    return { directory: installLocked(name) };
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

/** All that the packages are made of: sources, texts, and the libraries by their manifests. */
const PARTS: readonly string[] = [
  "{ffi,lib,packages,scripts/npm,tools}/**/*.{ts,c,h,cpp,json,md}",
  "build/native/*/{release,preload}/*.json",
  "*.{ts,json,md}",
  "LICENSE",
];

/** Packages that were built, and the directory that they are in. */
export interface PackagesHere extends BuiltPackages {
  /** The directory. */
  readonly out: string;
}

/** The packages of today's sources, built once for all test files: a copy, to do with as one likes. */
export async function builtPackages(): Promise<PackagesHere> {
  const files = PARTS.flatMap((pattern) => globSync(pattern, { cwd: ROOT })).sort();
  const hash = createHash("sha256");
  for (const name of files) hash.update(name).update(readFileSync(join(ROOT, name)));
  const directory = await builtOnceAsync(["packages", hash.digest("hex")], async (work) => {
    const out = join(work, "out");
    const { packages, ...built } = await buildAll({ out, builder: "esbuild" });
    const here = packages.map(({ name, directory }) => ({
      name,
      directory: relative(out, directory),
    }));
    writeFileSync(join(work, "built.json"), JSON.stringify({ ...built, packages: here }));
  });
  const out = temporaryDirectory();
  cpSync(join(directory, "out"), out, { recursive: true });
  const built: BuiltPackages = JSON.parse(readFileSync(join(directory, "built.json"), "utf8"));
  const packages = built.packages.map(({ name, directory }) => ({
    name,
    directory: join(out, directory),
  }));
  return { ...built, packages, out };
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
  cpSync((await builtPackages()).out, modules, { recursive: true });
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

/** The address that a server prints with "Ready", once it listens. */
export function listening(server: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = "";
    for (const stream of [server.stdout, server.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        said += text;
        const port = /http:\/\/127\.0\.0\.1:(\d+)/.exec(said)?.[1];
        if (port !== undefined && /Ready/.test(said)) resolve(`http://127.0.0.1:${port}`);
      });
    }
    server.on("error", reject);
    server.on("exit", () => reject(new Error(`the server ended: ${said}`)));
  });
}
