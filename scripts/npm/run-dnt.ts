/**
 * Loads dnt and runs it, in Deno: `run-dnt.ts MODULE OPTIONS`, the options as JSON. What goes wrong
 * is said on standard error.
 *
 * @module
 */
import process from "node:process";
import type { DntOptions } from "./dnt.ts";

/** The part of dnt that is used. */
interface Dnt {
  build(options: DntOptions): Promise<void>;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function load(specifier: string): Promise<Dnt> {
  let why = "it has no function build";
  try {
    // A variable: what checks or caches the modules of this checkout must not fetch it.
    const dnt: Partial<Dnt> = await import(specifier);
    if (typeof dnt.build === "function") return dnt as Dnt;
  } catch (error) {
    why = messageOf(error).split("\n", 1)[0] ?? "";
  }
  throw new Error(
    `@deno/dnt could not be loaded from "${specifier}" (${why}). See that JSR can be reached, or ` +
      "use --builder=esbuild.",
  );
}

const [specifier = "", options = "{}"] = process.argv.slice(2);
try {
  const dnt = await load(specifier);
  await dnt.build(JSON.parse(options));
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}
