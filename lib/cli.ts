#!/usr/bin/env node
/**
 * The command line: `deno run -A lib/cli.ts`, `bun lib/cli.ts`, `node lib/cli.ts`.
 *
 * Under Node's permission model Node reads this one file by itself, so all others are loaded where a
 * refusal can be said in a sentence.
 *
 * @module
 */
import process from "node:process";

void import("./cli/start.ts").then(({ start }) => start(), refuse);

function refuse(error: unknown): void {
  if (!(error instanceof Error && "code" in error && error.code === "ERR_ACCESS_DENIED")) {
    throw error;
  }
  process.stderr.write(
    "offheap: Cannot load the command: the runtime does not permit it. Run it with " +
      "--allow-fs-read=*, and with the flag for native code that it then asks for.\n",
  );
  const [command = ""] = process.argv.slice(2);
  // As lib/cli/shell-refusal.ts, which cannot be read here; in any format, as the shell must not go on.
  if (command === "env") {
    process.stdout.write("case $- in *i*) (exit 125) ;; *) exit 125 ;; esac\n");
  }
  process.exitCode = ["run", "env"].includes(command) ? 125 : 1;
}
