import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { compileTo } from "./built-once.ts";
import { temporaryDirectory } from "./compile.ts";

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

/**
 * What a program with sanitizers that opens the allocators is run with. The leak sanitizer guesses how
 * long a library's thread-local storage is by what is before it, and with some builds of the allocators
 * crashes there ("Tracer caught signal 11"): they hold nothing in it that was allocated. The allocators
 * are not instrumented: the thread sanitizer sees their memset, and not their locks.
 */
export const SANITIZER_VARIABLES = {
  ASAN_OPTIONS: "detect_leaks=1:intercept_tls_get_addr=0",
  TSAN_OPTIONS: "ignore_noninstrumented_modules=1",
} as const;
