/**
 * `npm run lint:workflows`: checks `.github/workflows`.
 *
 * @module
 */
import process from "node:process";
import { Command } from "commander";
import { ROOT } from "../tools/paths.ts";
import { lintWorkflows } from "./workflows/lint.ts";

new Command("npm run lint:workflows --").description("Checks .github/workflows.").parse();
const problems = await lintWorkflows(ROOT);
for (const { file, line, message } of problems) console.error(`${file}:${line}: ${message}`);
console.log(problems.length === 0 ? "The workflows are in order." : `${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;
