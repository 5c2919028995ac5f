/**
 * `offheap compare`.
 *
 * @module
 */
import { writeFileSync } from "node:fs";
import process from "node:process";
import { type Command, Option } from "commander";
import { PROFILE_NAMES, type ProfileName } from "../allocators/profiles.ts";
import { startOrCurrentEnvironment } from "../environment.ts";
import { CompareError } from "../errors.ts";
import { formatAge } from "../units.ts";
import {
  type ComparePlan,
  measure,
  type Measured,
  type Watcher,
} from "../watch/compare/compare.ts";
import {
  type Beginning,
  type Comparison,
  describeMachine,
  documentOf,
  measuredBefore,
  readComparison,
  writeComparison,
} from "../watch/compare/comparison.ts";
import type { LoadPlan } from "../watch/compare/load.ts";
import { comparisonPage } from "../watch/compare/page.ts";
import { prepareVariants, readVariants, usualVariants } from "../watch/compare/variants.ts";
import { formatComparison, formatSideBySide } from "./compare-table.ts";
import {
  parseCount,
  parseMetric,
  parsePart,
  parsePattern,
  parseTime,
  parseUrl,
} from "./compare-values.ts";
import { print, printJson } from "./print.ts";

const DEFAULTS = { rounds: 10, timeLimitMs: 120_000, band: 0.02, rate: 100, seconds: 30 } as const;

interface CompareArguments {
  readonly profiles?: string;
  readonly variants?: string;
  readonly baseline?: string;
  readonly rounds?: number;
  readonly timeLimit?: number;
  readonly until?: number;
  readonly band: number;
  readonly seed: number;
  readonly timeout?: number;
  readonly metric?: RegExp;
  readonly higherIsBetter?: boolean;
  readonly readyUrl?: URL;
  readonly readyLine?: RegExp;
  readonly load?: string;
  readonly requests?: URL;
  readonly rate: number;
  readonly duration: number;
  readonly idleAfter?: number;
  readonly json?: boolean;
  readonly html?: string;
  readonly save?: string;
  readonly resume?: string;
  readonly show?: readonly string[];
}

function requireTogether(isFault: boolean, message: string): void {
  if (isFault) throw new CompareError(`Cannot compare: ${message}`);
}

function loadOf({ load, requests, rate, duration }: CompareArguments): LoadPlan | null {
  if (load !== undefined) return { command: load };
  return requests === undefined ? null : { url: requests, rate, seconds: duration / 1000 };
}

function readyOf(
  { readyUrl, readyLine, requests }: CompareArguments,
): ComparePlan["program"]["ready"] {
  if (readyLine !== undefined) return { line: readyLine };
  const url = readyUrl ?? requests;
  return url === undefined ? null : { url };
}

function profilesOf(text: string | undefined): ProfileName[] {
  if (text === undefined) return ["balanced"];
  if (text === "all") return [...PROFILE_NAMES];
  const names = text.split(",");
  const unknown = names.find((name) => !(PROFILE_NAMES as readonly string[]).includes(name));
  if (unknown === undefined) return names as ProfileName[];
  throw new CompareError(
    `Cannot compare the profile "${unknown}": there are ${PROFILE_NAMES.join(", ")}, and all.`,
  );
}

/** The variants with the baseline first. */
function chosenVariants({ variants, profiles, baseline }: CompareArguments) {
  const all = variants === undefined ? usualVariants(profilesOf(profiles)) : readVariants(variants);
  const first = baseline === undefined ? all[0] : all.find(({ name }) => name === baseline);
  if (first !== undefined) return [first, ...all.filter((each) => each !== first)];
  throw new CompareError(
    `Cannot compare with "${baseline}": the variants are ${
      all.map(({ name }) => name).join(", ")
    }.`,
  );
}

/** How the program is run, as JSON has it. */
function describeProgram({ command: _, ...rest }: ComparePlan["program"]): Record<string, unknown> {
  const replace = (_: string, value: unknown): unknown =>
    value instanceof RegExp ? value.source : value;
  return JSON.parse(JSON.stringify(rest, replace));
}

function planOf(command: readonly [string, ...string[]], options: CompareArguments): {
  plan: ComparePlan;
  beginning: Beginning;
  measured: Measured;
} {
  const program = {
    command,
    ready: readyOf(options),
    load: loadOf(options),
    idleAfterMs: options.idleAfter ?? null,
    metric: options.metric ?? null,
  };
  requireTogether(
    program.ready === null && (program.load !== null || program.idleAfterMs !== null),
    "--load and --idle-after are for servers. Say when the program is ready, by --ready-url or " +
      "--ready-line.",
  );
  requireTogether(
    program.ready !== null && program.load === null && program.idleAfterMs === null,
    "there is nothing to do once the program is ready. Give --load, --requests or --idle-after.",
  );
  const environment = startOrCurrentEnvironment().variables;
  const chosen = chosenVariants(options);
  const { variants, leftOut } = prepareVariants(chosen, command, environment);
  const [base] = chosen;
  const [failed] = leftOut;
  if (failed !== undefined && failed.variant === base?.name) throw new CompareError(failed.reason);
  const baseline = base?.name ?? "";
  const judging = {
    baseline,
    band: options.band,
    metricHigher: options.higherIsBetter === true,
  };
  const key = {
    command,
    variants: variants.map(({ name, words }) => ({ name, words })),
    program: describeProgram(program),
    seed: options.seed,
  };
  const beginning = {
    key,
    judging,
    started: new Date().toISOString(),
    machine: describeMachine(),
  };
  const measured = options.resume === undefined
    ? { runs: [], curves: [], leftOut: [], notes: [] }
    : measuredBefore(options.resume, key);
  measured.leftOut.push(...leftOut);
  const isOpen = options.rounds === undefined && options.timeLimit === undefined;
  const plan = {
    program,
    variants,
    seed: options.seed,
    judging,
    rounds: options.rounds ??
      (options.until === undefined ? DEFAULTS.rounds : 10 * DEFAULTS.rounds),
    timeLimitMs: options.timeLimit ??
      (isOpen && options.until === undefined ? DEFAULTS.timeLimitMs : null),
    until: options.until ?? null,
    limitMs: options.timeout ?? null,
  };
  return { plan, beginning, measured };
}

/** Progress on standard error: a line that is written over in a terminal, else one for each round. */
function progress(rounds: number, ran: Watcher["ran"]): Watcher & { end(): void } {
  const live = process.stderr.isTTY === true;
  let told = -1;
  const show = (text: string, isNew: boolean): void => {
    if (live) process.stderr.write(`\r\x1b[K${text}`);
    else if (isNew) process.stderr.write(`${text}\n`);
  };
  return {
    starts(variant, round, secondsLeft) {
      const where = round === 0 ? "warm-up" : `round ${round} of at most ${rounds}`;
      const left = secondsLeft === null ? "" : `; about ${formatAge(secondsLeft)} left`;
      show(`${where}${live ? `, ${variant}` : ""}${left}`, round !== told);
      told = round;
    },
    ran,
    end: () => show("", false),
  };
}

async function run(
  command: readonly [string, ...string[]],
  options: CompareArguments,
): Promise<number> {
  const { plan, beginning, measured } = planOf(command, options);
  const file = options.save ?? options.resume;
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  const watcher = progress(plan.rounds, (so) => {
    if (file !== undefined) writeComparison(file, documentOf(beginning, so, true));
  });
  let isWhole = false;
  try {
    await measure(plan, measured, watcher, stop.signal);
    isWhole = true;
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  } finally {
    watcher.end();
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  }
  const comparison = documentOf(beginning, measured, !isWhole);
  if (file !== undefined) writeComparison(file, comparison);
  if (options.html !== undefined) writeFileSync(options.html, comparisonPage(comparison));
  if (options.json === true) printJson(comparison);
  else for (const part of formatComparison(comparison)) print(part);
  return isWhole ? 0 : INTERRUPTED;
}

/** What a shell reports of a program that Ctrl-C ended. */
const INTERRUPTED = 130;

function show(paths: readonly string[], { json, html }: CompareArguments): number {
  const all: Comparison[] = paths.map(readComparison);
  const [one, other] = all;
  if (one === undefined || all.length > 2) {
    throw new CompareError(`Cannot show ${all.length} comparisons: one, or two side by side.`);
  }
  if (html !== undefined) writeFileSync(html, comparisonPage(one));
  if (json === true) printJson(all);
  else if (other === undefined) { for (const part of formatComparison(one)) print(part); }
  else for (const part of formatSideBySide(one, other)) print(part);
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
    .option("--rate <number>", "requests each second", parseCount, DEFAULTS.rate)
    .option("--duration <time>", "for how long", parseTime, DEFAULTS.seconds * 1000)
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
