/**
 * `npm run ok`: the one gate. Runs each check in turn and stops at the first that fails. Arguments
 * go to the tests, as in `npm run ok -- --runtime node26`.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import process from "node:process";
import Table from "cli-table3";
import { Command } from "commander";
import { ROOT } from "../tools/paths.ts";

/** One check. */
interface Step {
  readonly name: string;
  /** Its script in package.json. */
  readonly script: string;
}

const STEPS: readonly Step[] = [
  { name: "format", script: "fmt:check" },
  { name: "lint", script: "lint" },
  { name: "workflows", script: "lint:workflows" },
  { name: "types", script: "check" },
  { name: "docs", script: "doc:lint" },
  { name: "tests", script: "test" },
  { name: "JSR dry run", script: "jsr:dry-run" },
];

const program: Command = new Command("npm run ok --")
  .description("Runs each check in turn, up to the first that fails.")
  .argument("[arguments...]", "for npm test")
  .allowUnknownOption()
  .parse();
const table = new Table({ head: ["check", "result", "time"], style: { head: [], border: [] } });
const failed: string | null = runSteps(program.args);
console.log(`\n${table.toString()}`);
console.log(failed === null ? "ok" : `FAILED: ${failed}`);
process.exitCode = failed === null ? 0 : 1;

/** Runs the checks; the name of the one that failed. */
function runSteps(testArguments: readonly string[]): string | null {
  let failed: string | null = null;
  for (const { name, script } of STEPS) {
    if (failed !== null) {
      table.push([name, "not run", ""]);
      continue;
    }
    console.log(`\n=== ${name} (npm run ${script})`);
    const start = performance.now();
    const passed = runScript(script, script === "test" ? testArguments : []);
    table.push([
      name,
      passed ? "ok" : "FAILED",
      `${((performance.now() - start) / 1000).toFixed(1)} s`,
    ]);
    if (!passed) failed = name;
  }
  return failed;
}

/** Runs one of package.json's scripts; whether it ended well. */
function runScript(script: string, args: readonly string[]): boolean {
  const tail = args.length === 0 ? [] : ["--", ...args];
  // npm names itself to its scripts; without it, the one on PATH has to do.
  const npm = process.env["npm_execpath"];
  const command = npm === undefined ? "npm" : process.env["npm_node_execpath"] ?? process.execPath;
  const { status, error } = spawnSync(
    command,
    [...(npm === undefined ? [] : [npm]), "run", "--silent", script, ...tail],
    { cwd: ROOT, stdio: "inherit", shell: npm === undefined && process.platform === "win32" },
  );
  if (error !== undefined) console.error(`Cannot run ${command}: ${error.message}`);
  return status === 0;
}
