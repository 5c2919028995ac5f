/**
 * The options of `offheap heap`.
 *
 * @module
 */
import { type Command, InvalidArgumentError, Option } from "commander";
import { parseBytes, parseCount, parsePid } from "./option-values.ts";
import type { HeapArguments } from "./report-heap.ts";

/** What is done with a profile, of which a switch takes none. */
const OUTPUTS = ["output", "html", "json", "top"];

const DEFAULTS = { rows: 20, keep: 5, directory: "heap-profiles" } as const;

function parseSeconds(text: string): number {
  const seconds = Number(/^(\d+(?:\.\d+)?)s?$/.exec(text)?.[1]);
  if (seconds > 0 && seconds <= 86_400) return seconds;
  throw new InvalidArgumentError("It must be a number of seconds, such as 30.");
}

/** Adds the command. */
export function addHeap(program: Command): void {
  program.command("heap")
    .description("find the functions, of JavaScript too, that hold native memory")
    .argument("[profile...]", "a profile to show, or: diff BEFORE AFTER")
    .option("--pid <number>", "the process, started by offheap run --heap-profiling", parsePid)
    .option("-o, --output <file>", "write gzipped pprof, as for go tool pprof")
    .option("--seconds <number>", "what is allocated within that time and stays", parseSeconds)
    .addOption(
      new Option("--start", "sample the process from now on")
        .conflicts(["stop", "seconds", "atGrowth", ...OUTPUTS]),
    )
    .addOption(
      new Option("--stop", "end the sampling of the process")
        .conflicts(["seconds", "atGrowth", ...OUTPUTS]),
    )
    .option("--top", "print the table of functions, also where a file is written")
    .option("--rows <number>", "how many functions it has", parseCount, DEFAULTS.rows)
    .option("--runtime", "show the functions of the runtime and the C library, too")
    .option("--objects", "show V8's objects instead of native memory, where they were sampled")
    .option("--html <file>", "write a flame graph as one page")
    .option("--json", "print JSON")
    .addOption(
      new Option("--at-growth <size>", "take one now, and each time it has grown by, say, 100MiB")
        .argParser(parseBytes).conflicts(["seconds", ...OUTPUTS]),
    )
    .option("--directory <path>", "where those are kept", DEFAULTS.directory)
    .option("--keep <number>", "how many of them", parseCount, DEFAULTS.keep)
    .action(async (words: string[], options: HeapArguments, command: Command) =>
      (await import("./report-heap.ts")).reportHeap(words, options, command)
    );
}
