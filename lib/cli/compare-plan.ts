/**
 * From the options of `offheap compare` to a plan.
 *
 * @module
 */
import { PROFILE_NAMES, type ProfileName } from "../allocators/profiles.ts";
import { startOrCurrentEnvironment } from "../environment.ts";
import { CompareError } from "../errors.ts";
import type { ComparePlan, Measured } from "../watch/compare/compare.ts";
import { type Beginning, describeMachine, measuredBefore } from "../watch/compare/comparison.ts";
import type { LoadPlan } from "../watch/compare/load.ts";
import { prepareVariants, readVariants, usualVariants } from "../watch/compare/variants.ts";

/** What counts without an option. */
export const DEFAULTS = {
  rounds: 10,
  timeLimitMs: 120_000,
  band: 0.02,
  rate: 100,
  seconds: 30,
} as const;

/** The options as they were given. */
export interface CompareArguments {
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
  readonly rate?: number;
  readonly duration?: number;
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

function loadOf({ load, requests, ...how }: CompareArguments): LoadPlan | null {
  if (load !== undefined) return { command: load };
  if (requests === undefined) return null;
  const { rate = DEFAULTS.rate, duration = DEFAULTS.seconds * 1000 } = how;
  return { url: requests, rate, seconds: duration / 1000 };
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

/** What a command line comes to. */
export interface Planned {
  readonly plan: ComparePlan;
  readonly beginning: Beginning;
  /** What an earlier start has measured, and what cannot be run. */
  readonly measured: Measured;
}

/**
 * Makes a plan of a command and options.
 *
 * @throws {OffheapError} when they contradict each other, or the baseline cannot be run.
 */
export function planOf(
  command: readonly [string, ...string[]],
  options: CompareArguments,
): Planned {
  const program = {
    command,
    ready: readyOf(options),
    load: loadOf(options),
    idleAfterMs: options.idleAfter ?? null,
    metric: options.metric ?? null,
  };
  requireTogether(
    options.higherIsBetter === true && program.metric === null,
    "--higher-is-better is for --metric, which is not given.",
  );
  requireTogether(
    options.requests === undefined && (options.rate ?? options.duration) !== undefined,
    "--rate and --duration are for --requests, which is not given.",
  );
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
