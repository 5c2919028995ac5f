/**
 * Makes the npm packages below `build/npm`: the main package and a platform package for each target
 * that is built. `npm run build:npm -- --help`.
 *
 * @module
 */
import { join } from "node:path";
import process from "node:process";
import { Command, Option } from "commander";
import { ROOT } from "../tools/paths.ts";
import { buildAll } from "./npm/build.ts";
import { moduleSpecifier } from "./npm/dnt.ts";
import { type BuilderName, BUILDERS } from "./npm/main-package.ts";

/** The command line's options. */
interface Options {
  readonly builder: BuilderName;
  readonly dnt?: string;
  readonly out: string;
  readonly allTargets?: boolean;
}

const program = new Command("npm run build:npm --")
  .description("Makes the npm packages: the main one, and one for each target that is built.")
  .addOption(
    new Option(
      "-b, --builder <name>",
      "what compiles the main package; dnt runs in Deno and is on JSR",
    )
      .choices(BUILDERS).default("esbuild"),
  )
  .option("--dnt <module>", "load dnt from this file or URL, not the pinned one", moduleSpecifier)
  .option("-o, --out <directory>", "where the packages go", join(ROOT, "build", "npm"))
  .option("--all-targets", "for a release: fail when a target is not built");

program.parse();
try {
  const { out, ...rest } = program.opts<Options>();
  const built = await buildAll({ ...rest, out });
  console.log(`built by ${built.ran}`);
  for (const { name, directory } of built.packages) console.log(`${name}: ${directory}`);
  for (const { name, missing } of built.absent) {
    console.log(`not built, and not among the optional dependencies: ${name} (${missing})`);
  }
} catch (error) {
  console.error(`error: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
