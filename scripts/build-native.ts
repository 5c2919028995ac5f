/**
 * Builds the native libraries of this checkout: `npm run build:native -- --help`.
 *
 * @module
 */
import { runBuildCommand } from "../packages/build/command.ts";

await runBuildCommand("npm run build:native --");
