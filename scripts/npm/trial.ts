/**
 * No package is called built before it has been loaded and used: in fresh processes, as a program
 * uses it that has it and the host's platform package installed.
 *
 * @module
 */
import { realpathSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { Verification } from "../../lib/verify/types.ts";
import { cleanEnvironment, ownRuntime, run } from "./process.ts";

/** Loads the module, makes errors of ours, and prints what `verifyAllocator()` reports. */
const USE_MODULE = fileURLToPath(new URL("use-module.ts", import.meta.url));

/**
 * Tries a main package: its module, and `offheap verify`.
 *
 * @param directory The package's directory; what it depends on must be found from there.
 * @param platform The platform package's directory, whose library has to be proven; without one,
 * for a host that is not built, a report will do.
 * @throws {Error} when it does not work.
 */
export async function tryMainPackage(directory: string, platform?: string): Promise<void> {
  const commands = [
    ownRuntime(USE_MODULE, join(directory, "dist", "mod.cjs")),
    ownRuntime(join(directory, "dist", "lib", "cli.js"), "verify", "--json"),
  ];
  for (const command of commands) {
    try {
      const text = await run(command, {
        cwd: dirname(directory),
        env: cleanEnvironment(command[0] ?? "", {}),
      });
      if (platform !== undefined) requireProof(JSON.parse(text), platform);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(`Cannot take the package, it does not work: ${why}`, { cause: error });
    }
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
