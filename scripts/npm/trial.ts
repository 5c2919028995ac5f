/**
 * No package is called built before it has been loaded and used: in fresh processes, as a program
 * uses it that has it and the host's platform package installed.
 *
 * @module
 */
import { realpathSync, writeFileSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import type { Verification } from "../../lib/verify/types.ts";
import { cleanEnvironment } from "../../tools/environment.ts";
import { ownRuntime, run } from "./process.ts";

/** Loads the module, makes errors of ours, and prints what `verifyAllocator()` reports. */
const USE_MODULE = `
const assert = require("node:assert/strict");
const offheap = require("./package/dist/mod.cjs");
// A class's name is a string in it, which no minifier changes.
assert.equal(new offheap.OffheapError("ERR_OFFHEAP_TRIAL", "tried").name, "OffheapError");
assert.throws(
  () => offheap.openAllocator({ library: __filename + "/no-such-library" }),
  (error) => error instanceof offheap.OffheapError && error.name === "LibraryLoadError",
);
console.log(JSON.stringify(offheap.verifyAllocator()));
`;

/**
 * Tries a main package: its module, and `offheap verify`.
 *
 * @param directory The package's directory, called `package`; a program is put beside it.
 * @param platform The platform package's directory, whose library has to be proven; without one,
 * for a host that is not built, a report will do.
 * @throws {Error} when it does not work.
 */
export async function tryMainPackage(directory: string, platform?: string): Promise<void> {
  const program = join(dirname(directory), "use-module.cjs");
  writeFileSync(program, USE_MODULE);
  const commands = [
    ownRuntime(program),
    ownRuntime(join(directory, "dist", "cli.cjs"), "verify", "--json"),
  ];
  for (const command of commands) {
    const text = await runTrial(command, directory);
    if (platform !== undefined) requireProof(JSON.parse(text), platform);
  }
}

/** Tries the package of the build, as far as it starts. */
export async function tryBuildPackage(directory: string): Promise<void> {
  await runTrial(ownRuntime(join(directory, "dist", "build", "main.mjs"), "--help"), directory);
}

async function runTrial(command: readonly string[], directory: string): Promise<string> {
  try {
    return await run(command, {
      cwd: dirname(directory),
      env: cleanEnvironment(command[0] ?? ""),
    });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`Cannot take the package, it does not work: ${why}`, { cause: error });
  }
}

function requireProof(report: Verification, platform: string): void {
  const path = report.library?.path ?? "no library";
  if (report.memoryAllocatorVerified && path.startsWith(realpathSync(platform) + sep)) return;
  throw new Error(
    `its library must be proven, and be in "${platform}"; got "${path}": ` +
      JSON.stringify(report.evidence),
  );
}
