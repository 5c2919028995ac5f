/**
 * Running a script that collects garbage when it wants to.
 *
 * @module
 */
import { runtimeInfo } from "../../ffi/mod.ts";
import { programOf, runtimeCommand } from "./runtime.ts";

const FLAGS: Readonly<Record<string, readonly string[]>> = {
  deno: ["--v8-flags=--expose-gc"],
  bun: [],
  node: ["--expose-gc", "--disable-warning=ExperimentalWarning"],
};

/** The command that runs a script in this runtime, with the garbage collector at hand. */
export function collectingCommand(script: string, ...args: string[]): [string, ...string[]] {
  const [binary, ...words] = runtimeCommand(script, ...args);
  const at = words.indexOf(programOf(script));
  const flags = FLAGS[runtimeInfo().name] ?? [];
  // What a program warns of is to be seen.
  const before = words.slice(0, at).filter((word) => word !== "--no-warnings");
  return [binary, ...before, ...flags, ...words.slice(at)];
}
