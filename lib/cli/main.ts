/**
 * The command line as a whole: commands, their options, and exit statuses.
 *
 * @module
 */
import process from "node:process";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { LaunchError, OffheapError } from "../errors.ts";
import { launchEnvironment, type LaunchOptions } from "../launch/plan.ts";
import { PROFILE_NAMES } from "../launch/profiles.ts";
import { runCommand } from "../launch/run.ts";
import { ALLOCATOR_NAMES } from "../policy.ts";
import { VERSION } from "../version.ts";
import { ENVIRONMENT_FORMATS, type EnvironmentFormat } from "./environment-formats.ts";
import { print } from "./output.ts";
import { quietExperimentalWarnings } from "./warnings.ts";

/** Exit statuses; those of `run` are what `env` and `nohup` use. */
const STATUS = { ok: 0, failed: 1, usage: 2, refused: 125 } as const;

const ALLOCATOR_CHOICES: readonly string[] = ["auto", ...ALLOCATOR_NAMES];

/** What `verify --expect` takes: also the names by which a process's allocator is reported. */
const EXPECTED_CHOICES: readonly string[] = [...ALLOCATOR_NAMES, "glibc", "musl", "tcmalloc"];

function allocatorOption(): Option {
  return new Option("-a, --allocator <name>", "the allocator")
    .choices(ALLOCATOR_CHOICES);
}

function addLaunchOptions(command: Command): Command {
  return command
    .addOption(allocatorOption())
    .addOption(
      new Option("-p, --profile <name>", "how the allocator is tuned")
        .choices(PROFILE_NAMES).default("balanced"),
    )
    .option("--secure", "take the variant that guards against misuse of memory")
    .option("--library <file>", "the allocator's library, instead of the usual places");
}

function parsePid(text: string): number {
  const pid = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(pid) && pid > 0) return pid;
  throw new InvalidArgumentError("it must be a process's number.");
}

interface RunArguments extends LaunchOptions {
  readonly inherit: boolean;
}

interface EnvArguments extends LaunchOptions {
  readonly format: EnvironmentFormat;
}

type SetStatus = (status: number) => void;

function addReports(program: Command, setStatus: SetStatus): void {
  program.command("info")
    .description("tell what is known of the system, the allocator and its options")
    .option("--json", "print JSON")
    .action(async (options) => setStatus((await import("./report.ts")).reportInfo(options)));
  program.command("verify")
    .description("prove which allocator serves this process, and offheap's own blocks")
    .option("--json", "print JSON")
    .addOption(
      new Option("-e, --expect <name>", "exit with 1 unless this one serves the process, proven")
        .choices(EXPECTED_CHOICES),
    )
    .action(async (options) =>
      setStatus((await import("./report.ts")).reportVerification(options))
    );
  program.command("doctor")
    .description("tell, from outside, who serves malloc in a running process")
    .requiredOption("--pid <number>", "the process", parsePid)
    .option("--json", "print JSON")
    .action(async (options) => setStatus((await import("./report.ts")).reportDoctor(options)));
}

function addLaunching(program: Command): void {
  addLaunchOptions(
    program.command("run").description("run a command under an allocator, or not at all"),
  )
    .option("--inherit", "the command's children run under it, too (the default)", true)
    .option("--no-inherit", "the command's children run as they would have without offheap")
    .argument("<command...>", "the command and its arguments, best behind --")
    .passThroughOptions()
    .action((command: [string, ...string[]], options: RunArguments) =>
      runCommand({ ...options, command })
    );
  addLaunchOptions(
    program.command("env").description("print the variables that put a process under an allocator"),
  )
    .addOption(
      new Option("-f, --format <name>", "how to write them")
        .choices(Object.keys(ENVIRONMENT_FORMATS)).default("sh"),
    )
    .action(({ format, ...options }: EnvArguments) =>
      print(ENVIRONMENT_FORMATS[format](launchEnvironment(options)))
    );
}

function createProgram(setStatus: SetStatus): Command {
  const program = new Command("offheap")
    .description("mimalloc and jemalloc for Deno, Bun and Node: run under them, and prove it")
    .version(VERSION)
    .enablePositionalOptions()
    .exitOverride()
    .showHelpAfterError("(offheap --help lists the commands and options)");
  addReports(program, setStatus);
  addLaunching(program);
  for (const command of program.commands) command.exitOverride();
  return program;
}

/** Whether the words before the command's own, if any, ask for `run`. */
function isRun(args: readonly string[]): boolean {
  return args.find((word) => !word.startsWith("-")) === "run";
}

function statusOf(error: unknown, args: readonly string[]): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === STATUS.ok) return STATUS.ok;
    return isRun(args) ? STATUS.refused : STATUS.usage;
  }
  if (error instanceof LaunchError) return error.status;
  return isRun(args) ? STATUS.refused : STATUS.failed;
}

/** What a user sees of an error: a sentence where it is ours, the stack where it is a defect. */
function describe(error: unknown): string {
  if (error instanceof OffheapError || error instanceof RangeError) return error.message;
  return error instanceof Error ? error.stack ?? error.message : String(error);
}

/**
 * Runs the command line.
 *
 * @param args The arguments behind the program's name.
 * @returns The exit status: 0, 1 when what was asked for does not hold, 2 for wrong usage; of
 * `run`, when it does not become the command, 125, 126 or 127.
 */
export async function main(args: readonly string[]): Promise<number> {
  quietExperimentalWarnings();
  let status: number = STATUS.ok;
  const program = createProgram((value) => {
    status = value;
  });
  try {
    await program.parseAsync(args, { from: "user" });
    return status;
  } catch (error) {
    if (!(error instanceof CommanderError)) process.stderr.write(`offheap: ${describe(error)}\n`);
    return statusOf(error, args);
  }
}
