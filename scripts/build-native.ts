/**
 * Builds the native libraries of this checkout: `npm run build:native -- --help`.
 *
 * @module
 */
import process from "node:process";
import { Command } from "commander";
import { addBuildOptions, type BuildArguments, runBuild } from "../packages/build/command.ts";

const program = addBuildOptions(
  new Command("build-native").description("Builds jemalloc, mimalloc and offheap's shim."),
);

program.action(async (values: BuildArguments) => {
  try {
    await runBuild(values);
  } catch (error) {
    console.error(error instanceof Error ? `error: ${error.message}` : error);
    process.exitCode = 1;
  }
});

await program.parseAsync();
