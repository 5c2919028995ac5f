import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
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
  const directory = temporaryDirectory();
  const program = join(directory, "probe");
  const source = join(directory, "probe.c");
  writeFileSync(source, "int main(void) { return 0; }\n");
  try {
    execFileSync("cc", [...flags, source, "-o", program], { stdio: "pipe" });
    execFileSync(program, { stdio: "pipe" });
    return null;
  } catch (error) {
    return error instanceof Error ? error.message.split("\n").slice(0, 2).join(" ") : String(error);
  }
}
