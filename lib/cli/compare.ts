/**
 * `offheap compare`.
 *
 * @module
 */
import process from "node:process";
import { type Command, Option } from "commander";
import { CompareError, OffheapError } from "../errors.ts";
import { writeNamed } from "../system/files.ts";
import { formatAge } from "../units.ts";
import { measure, type Watcher } from "../watch/compare/compare.ts";
import {
  type Comparison,
  documentOf,
  readComparison,
  writeComparison,
} from "../watch/compare/comparison.ts";
import { comparisonPage } from "../watch/compare/page.ts";
import { type CompareArguments, DEFAULTS, planOf } from "./compare-plan.ts";
import { formatComparison, formatSideBySide } from "./compare-table.ts";
import {
  parseCount,
  parseMetric,
  parsePart,
  parsePattern,
  parseTime,
  parseUrl,
} from "./option-values.ts";
import { liveLine } from "./live-line.ts";
import { requireWritable } from "./output.ts";
import { print, printJson } from "./print.ts";

/** Progress on standard error: a line that is written over in a terminal, else one for each round. */
function progress(rounds: number, ran: Watcher["ran"]): Watcher & { end(): void } {
  const line = liveLine();
  let shown = -1;
  return {
    starts(variant, round, secondsLeft) {
      const where = round === 0 ? "warm-up" : `round ${round} of at most ${rounds}`;
      const left = secondsLeft === null ? "" : `; about ${formatAge(secondsLeft)} left`;
      const which = process.stderr.isTTY ? `, ${variant}` : "";
      line.show(`${where}${which}${left}`, round !== shown);
      shown = round;
    },
    ran,
    end: () => line.end(),
  };
}

async function run(
  command: readonly [string, ...string[]],
  options: CompareArguments,
): Promise<number> {
  const { plan, beginning, measured } = planOf(command, options);
  const file = options.save ?? options.resume;
  requireWritable(file, options.html);
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  const watcher = progress(plan.rounds, (so) => {
    if (file !== undefined) writeComparison(file, documentOf(beginning, so, true));
  });
  let failure: unknown = null;
  try {
    await measure(plan, measured, watcher, stop.signal);
  } catch (error) {
    const isWorthShowing = error instanceof OffheapError && measured.runs.length > 0;
    if (!stop.signal.aborted && !isWorthShowing) throw error;
    failure = error;
  } finally {
    watcher.end();
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  }
  const comparison = documentOf(beginning, measured, failure !== null);
  if (file !== undefined) writeComparison(file, comparison);
  if (options.json === true) printJson(comparison);
  else for (const part of formatComparison(comparison)) print(part);
  if (options.html !== undefined) writeNamed(options.html, comparisonPage(comparison));
  if (failure === null) return 0;
  if (stop.signal.aborted) return INTERRUPTED;
  throw failure;
}

/** What a shell reports of a program that Ctrl-C ended. */
const INTERRUPTED = 130;

function show(paths: readonly string[], { json, html }: CompareArguments): number {
  const all: Comparison[] = paths.map(readComparison);
  const [one, other] = all;
  if (one === undefined || all.length > 2) {
    throw new CompareError(`Cannot show ${all.length} comparisons: one, or two side by side.`);
  }
  if (html !== undefined && other !== undefined) {
    throw new CompareError("Cannot write a page of two comparisons: show one.");
  }
  if (json === true) printJson(all);
  else if (other === undefined) { for (const part of formatComparison(one)) print(part); }
  else for (const part of formatSideBySide(one, other)) print(part);
  if (html !== undefined) writeNamed(html, comparisonPage(one));
  return 0;
}

/** Adds the command. */
export function addCompare(program: Command, setStatus: (status: number) => void): void {
  program.command("compare")
    .description(
      "measure a command of yours under each allocator, and say what differs for certain",
    )
    .argument("[command...]", "the command and its arguments, best after --")
    .passThroughOptions()
    .option("--profiles <names>", `the profiles, parted by commas, or "all"; else balanced`)
    .addOption(
      new Option("--variants <file>", "variants of your own, in JSON").conflicts("profiles"),
    )
    .option("--baseline <name>", "the variant that the others are compared with; else the first")
    .option(
      "--rounds <number>",
      `how many rounds; else ${DEFAULTS.rounds}, in 2 min at most`,
      parseCount,
    )
    .option("--time-limit <time>", "no round is begun that would end after it", parseTime)
    .option("--until <part>", "go on until the intervals are this narrow, such as 3%", parsePart)
    .option("--band <part>", "what differs by less counts as the same", parsePart, DEFAULTS.band)
    .option("--seed <number>", "decides the order of the runs", parseCount, 1)
    .option("--timeout <time>", "the longest that a run may take", parseTime)
    .option(
      "--metric <pattern>",
      "the program's own figure, such as 'req/s: ([0-9.]+)'",
      parseMetric,
    )
    .option("--higher-is-better", "of the program's own figure")
    .option(
      "--ready-url <url>",
      "the program is a server, and ready when it answers here",
      parseUrl,
    )
    .addOption(
      new Option("--ready-line <pattern>", "the same, when it prints a line like this")
        .argParser(parsePattern).conflicts("readyUrl"),
    )
    .option("--load <command>", "what to do once the server is ready, for the shell")
    .addOption(
      new Option("--requests <url>", "send requests there at a fixed rate, by autocannon")
        .argParser(parseUrl).conflicts("load"),
    )
    .option("--rate <number>", `requests each second; else ${DEFAULTS.rate}`, parseCount)
    .option("--duration <time>", `for how long; else ${DEFAULTS.seconds} s`, parseTime)
    .option("--idle-after <time>", "let the server rest, then take its idle memory", parseTime)
    .option("--json", "print JSON")
    .option("--html <file>", "write a page with charts")
    .option("--save <file>", "write JSON after each round")
    .addOption(
      new Option("--resume <file>", "go on with what --save has written").conflicts("save"),
    )
    .option("--show <files...>", "print one comparison again, or two side by side")
    .action(async (command: string[], options: CompareArguments, self: Command) => {
      if (options.show !== undefined) {
        return setStatus(show([...options.show, ...command], options));
      }
      const [file, ...args] = command;
      if (file === undefined) {
        self.error('error: name the command, as in "offheap compare -- node job.js"');
      }
      setStatus(await run([file, ...args], options));
    });
}
