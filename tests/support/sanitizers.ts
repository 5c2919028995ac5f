import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { compileTo } from "./built-once.ts";
import { temporaryDirectory } from "./compile.ts";
import { type ChildOptions, type ChildResult, runChild } from "./runtime.ts";

/** The address and undefined-behaviour sanitizers, as compiler flags. */
export const ADDRESS_SANITIZERS: readonly string[] = [
  "-fsanitize=address,undefined,float-cast-overflow",
  "-fno-sanitize-recover=all",
];

/** The thread sanitizer, as a compiler flag. */
export const THREAD_SANITIZER: readonly string[] = ["-fsanitize=thread"];

/** Why this machine's compiler has not the sanitizers, or cannot run what it makes; else `null`. */
export function sanitizersMissing(flags: readonly string[]): string | null {
  if (flags.length === 0) return null;
  const directory = temporaryDirectory();
  const source = join(directory, "probe.c");
  writeFileSync(source, "int main(void) { return 0; }\n");
  try {
    execFileSync(compileTo(join(directory, "probe"), { options: flags, sources: [source] }), {
      stdio: "pipe",
    });
    return null;
  } catch (error) {
    return error instanceof Error ? error.message.split("\n").slice(0, 2).join(" ") : String(error);
  }
}

/** What the leak sanitizer says when it has failed itself, and found nothing. */
const OWN_FAULT = /^==\d+==LeakSanitizer has encountered a fatal error\.$/m;
const ATTEMPTS = 6;

/**
 * Runs a program with the sanitizers in it. The leak sanitizer looks at the threads of a process from
 * beside it, and at times crashes there ("Tracer caught signal 11"): then the program runs once more.
 */
export async function runSanitized(
  command: readonly [string, ...string[]],
  options: ChildOptions = {},
): Promise<ChildResult> {
  let result = await runChild(command, options);
  for (let more = ATTEMPTS - 1; more > 0 && OWN_FAULT.test(result.stderr); more--) {
    result = await runChild(command, options);
  }
  return result;
}
