/**
 * LLVM's tools, to compare with: the machine's own, else those of Debian's package, unpacked.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { dirname } from "node:path";
import process from "node:process";
import { debianFile } from "../../tools/packages/debian.ts";
import { type Skipping, skipUnless } from "./skip.ts";

/** A tool of LLVM: its output for some arguments. */
export type LlvmTool = (...args: string[]) => string;

function run(program: string, args: readonly string[], libraries?: string): string {
  const env = libraries === undefined
    ? process.env
    : { ...process.env, LD_LIBRARY_PATH: libraries };
  const options = { encoding: "utf8", env, maxBuffer: 2 ** 26, stdio: "pipe" } as const;
  return execFileSync(program, args, options);
}

function runs(program: string, libraries?: string): boolean {
  try {
    return run(program, ["--version"], libraries).includes("LLVM");
  } catch {
    return false;
  }
}

function findTool(name: string): LlvmTool | string {
  for (const program of [name, `${name}-14`]) {
    if (runs(program)) return (...args) => run(program, args);
  }
  const tool = debianFile("llvm-14", `/llvm-14/bin/${name}`);
  const library = debianFile("libllvm14", "/libLLVM-14.so.1");
  if ("missing" in tool) return tool.missing;
  if ("missing" in library) return library.missing;
  const libraries = dirname(library.path);
  if (!runs(tool.path, libraries)) return `${name} of Debian's llvm-14 does not run here`;
  return (...args) => run(tool.path, args, libraries);
}

/** A tool, and the options of a test that needs it. */
export interface FoundTool {
  /** Calls it. */
  readonly tool: LlvmTool;
  /** Skips where it is not there, or where something else is missing. */
  readonly options: Skipping;
}

/** Finds a tool such as `llvm-readobj`. */
export function llvmTool(name: string, others: Skipping): FoundTool {
  const found = others.reason ?? findTool(name);
  return typeof found === "string"
    ? { tool: () => "", options: skipUnless(false, found) }
    : { tool: found, options: others };
}
