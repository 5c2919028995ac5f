#!/usr/bin/env node
/**
 * The command line: `deno run -A lib/cli.ts`, `bun lib/cli.ts`, `node lib/cli.ts`.
 *
 * @module
 */
import process from "node:process";
import { main } from "./cli/main.ts";

process.exitCode = await main(process.argv.slice(2));
