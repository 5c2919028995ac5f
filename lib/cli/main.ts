/**
 * The command line as a whole: commands, their options, and exit statuses.
 *
 * @module
 */
import { Command, CommanderError, Option } from "commander";
import { beMainThread } from "../../ffi/threads.ts";
import { keepToStart, startOrCurrentEnvironment } from "../environment.ts";
import { LaunchError } from "../errors.ts";
import { requireMapDirectory } from "../run/heap-profiling.ts";
import {
  type LaunchOptions,
  planLaunch,
  plannedVariables,
  preloadedLibraries,
} from "../run/plan.ts";
import { launchPlatform } from "../run/platforms.ts";
import { needsLink } from "../run/preload-path.ts";
import { DEFAULT_PROFILE, PROFILE_NAMES } from "../allocators/profiles.ts";
import { requirementOf } from "../run/requirement.ts";
import { runCommand } from "../run/run.ts";
import { BUILD_COMMAND } from "../build-command.ts";
import { ALLOCATOR_NAMES, KNOWN_ALLOCATORS } from "../allocators/mod.ts";
import { VERSION } from "../version.ts";
import {
  ENVIRONMENT_FORMATS,
  type EnvironmentFormat,
  REQUIREMENTS,
} from "./environment-formats.ts";
import { addCompare } from "./compare.ts";
import { addServe } from "./serve.ts";
import { addHeap } from "./heap.ts";
import { describe, REFUSED } from "./failure.ts";
import {
  parseDuration,
  parseInterval,
  parseMemoryLimit,
  parsePath,
  parsePid,
  parseTime,
} from "./option-values.ts";
import { print, printError, printText } from "./print.ts";
import { isForShell, SHELL_REFUSAL } from "./shell-refusal.ts";
import { quietExperimentalWarnings } from "./warnings.ts";

/** Exit statuses; those of `run` are what `env` and `nohup` use. */
const STATUS = { ok: 0, failed: 1, usage: 2, refused: REFUSED } as const;

const ALLOCATOR_CHOICES: readonly string[] = ["auto", ...ALLOCATOR_NAMES];

/** What `verify --expect` takes: also the names by which a process's allocator is reported. */
const EXPECTED_CHOICES: readonly string[] = KNOWN_ALLOCATORS;

function allocatorOption(): Option {
  return new Option("-a, --allocator <name>", "the allocator")
    .choices(ALLOCATOR_CHOICES);
}

function addLaunchOptions(command: Command): Command {
  return command
    .addOption(allocatorOption())
    .addOption(
      // Without a default of commander's: where there is nothing to tune, only a named one is refused.
      new Option("-p, --profile <name>", `what to tune it for (when left out: ${DEFAULT_PROFILE})`)
        .choices(PROFILE_NAMES),
    )
    .option(
      "--secure",
      "use the build that detects misuse of memory, such as double frees and overflows",
    )
    .addOption(
      new Option("--library <file>", "use this file as the allocator, instead of looking for one")
        .argParser(parsePath),
    )
    .option("--no-agent", "leave out the thread that gives memory back")
    .addOption(
      new Option(
        "--idle-trim <duration>",
        "give memory back after a rest of this long, as in 5s; else 1s, and 0 for never",
      ).argParser(parseDuration),
    )
    .addOption(
      new Option(
        "--memory-limit <size>",
        "give memory back near this limit, as in 400MiB, or 80% of what there is",
      ).argParser(parseMemoryLimit),
    )
    .addOption(
      new Option(
        "--heap-profiling [size]",
        "prepare profiles of what holds memory, by one sample for each 512KiB, or another size",
      ).argParser(parseInterval),
    )
    .option("--active", "take those samples from the start, and not once one asks for a profile");
}

interface RunArguments extends LaunchOptions {
  readonly inherit: boolean;
}

interface EnvArguments extends LaunchOptions {
  readonly format: EnvironmentFormat;
}

interface VerifyArguments {
  readonly json?: boolean;
  readonly expect?: string;
  readonly integrity?: boolean;
}

interface DoctorArguments {
  readonly json?: boolean;
  readonly pid?: number;
  readonly watch?: number;
  readonly try?: "purge";
  readonly attach?: boolean;
}

/** The process that is meant, in whichever way it was named. */
function onePid(command: Command, argument?: number, option?: number): number {
  const pid = argument ?? option;
  if (pid === undefined) command.error('error: name the process, as in "offheap doctor 123"');
  if (option !== undefined && option !== pid) {
    command.error(`error: one process at a time; got ${pid} and ${option}`);
  }
  return pid;
}

type SetStatus = (status: number) => void;

function addReports(program: Command, setStatus: SetStatus): void {
  program.command("info")
    .description("show the system, the allocator, its options in force, and memory health")
    .option("--json", "print JSON")
    .action(async (options) => setStatus((await import("./report.ts")).reportInfo(options)));
  program.command("verify")
    .description(
      "prove which allocator serves this process, and offheap's own blocks; status 0 means proven",
    )
    .option("--json", "print JSON")
    .addOption(
      new Option("-e, --expect <name>", "only prove that this allocator serves the process")
        .choices(EXPECTED_CHOICES),
    )
    .addOption(
      new Option(
        "--integrity",
        "compare every library installed for this machine with its manifest and the release's hashes",
      )
        .conflicts("expect"),
    )
    .action(async (options: VerifyArguments) =>
      setStatus(
        options.integrity === true
          ? (await import("./report-integrity.ts")).reportIntegrity(options)
          : (await import("./report.ts")).reportVerification(options),
      )
    );
  program.command("doctor")
    .description(
      "find out, from outside, who serves malloc in a running process, and where memory is",
    )
    .argument("[pid]", "the process", parsePid)
    .option("--pid <number>", "the same", parsePid)
    .addOption(
      new Option("--watch <time>", "watch memory for that long, such as 60s, for whether it grows")
        .argParser(parseTime),
    )
    .addOption(
      new Option("--try <what>", "have the allocator give memory back, and report what came")
        .choices(["purge"]),
    )
    .option("--attach", "open the inspector of Node or Deno for the JavaScript heap, and close it")
    .option("--json", "print JSON")
    .action(async (pid: number | undefined, options: DoctorArguments, command: Command) =>
      setStatus(
        await (await import("./report-doctor.ts"))
          .reportDoctor({ ...options, pid: onePid(command, pid, options.pid) }),
      )
    );
  program.command("ps")
    .description("list the processes of this machine: who serves malloc, and where memory is")
    .option("--tree", "put each process below the one that started it")
    .option("--json", "print JSON")
    .action(async (options) =>
      setStatus(await (await import("./report-processes.ts")).reportProcesses(options))
    );
  program.command("top")
    .description("the same, live in the terminal, with keys to purge and for details")
    .action(async () => setStatus(await (await import("./top.ts")).showTop()));
}

function addLaunching(program: Command): void {
  addLaunchOptions(
    program.command("run").description(
      "run a command under an allocator; it is ended before its main unless that is proven",
    ),
  )
    .option("--inherit", "children of the command run under the allocator, too", true)
    .option("--no-inherit", "children of the command run without the allocator")
    .argument("<command...>", "the command and its arguments; write -- before it")
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
    .action(({ format, ...options }: EnvArguments) => {
      const plan = planLaunch(options, startOrCurrentEnvironment().variables);
      requireMapDirectory(plan.profiling);
      for (const { path } of preloadedLibraries(plan).filter(({ path }) => needsLink(path))) {
        const { preloadVariable } = launchPlatform();
        printError(
          `offheap: ${preloadVariable} cannot hold "${path}": a link to it is used, in this user's cache\n`,
        );
      }
      for (const note of plan.notes) printError(`offheap: ${note}\n`);
      print(ENVIRONMENT_FORMATS[format](plannedVariables(plan)));
      const require = REQUIREMENTS[format];
      if (plan.library !== null && require !== undefined) print(require(requirementOf(plan)));
    });
}

/** Until 0.1 the build was a command of this one. */
function addBuild(program: Command): void {
  program.command("build", { hidden: true }).allowUnknownOption().allowExcessArguments()
    .action(() => program.error(`error: the libraries are built by "${BUILD_COMMAND}"`));
}

/** The command among the arguments; `undefined` when there are only options. */
function commandName(args: readonly string[]): string | undefined {
  return args.find((word) => !word.startsWith("-"));
}

function createProgram(setStatus: SetStatus): Command {
  const program = new Command("offheap")
    .description("mimalloc and jemalloc for Deno, Bun and Node: run under them, and prove it")
    .version(VERSION)
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ writeOut: printText, writeErr: printError })
    .showHelpAfterError("(offheap --help lists the commands and options)")
    .addHelpText(
      "after",
      `\nThe allocators come with offheap as packages; "${BUILD_COMMAND}" builds them instead.`,
    );
  addReports(program, setStatus);
  addLaunching(program);
  addCompare(program, setStatus);
  addServe(program, setStatus);
  addHeap(program);
  addBuild(program);
  for (const command of program.commands) {
    command.exitOverride()
      .showHelpAfterError(`(offheap ${command.name()} --help lists the options)`);
  }
  return program;
}

/** The commands that plan a launch: what keeps them from it is a refusal. */
const LAUNCHING: readonly (string | undefined)[] = ["run", "env"];

function statusOf(error: unknown, args: readonly string[]): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === STATUS.ok) return STATUS.ok;
    return commandName(args) === "run" ? STATUS.refused : STATUS.usage;
  }
  if (error instanceof LaunchError) return error.status;
  return LAUNCHING.includes(commandName(args)) ? STATUS.refused : STATUS.failed;
}

/**
 * Runs the command line.
 *
 * @param args The arguments after the program's name.
 * @returns The exit status: 0, 1 when what was asked for does not hold, 2 for wrong usage; of
 * `run`, when it does not become the command, 125, 126 or 127.
 */
export async function main(args: readonly string[]): Promise<number> {
  beMainThread();
  keepToStart();
  quietExperimentalWarnings();
  let status: number = STATUS.ok;
  const program = createProgram((value) => {
    status = value;
  });
  try {
    await program.parseAsync(args, { from: "user" });
    return status;
  } catch (error) {
    if (!(error instanceof CommanderError)) {
      printError(`offheap: ${describe(error, commandName(args))}\n`);
    }
    const refused = statusOf(error, args);
    const forShell = commandName(args) === "env" && isForShell(args);
    if (forShell && refused !== STATUS.ok) print(SHELL_REFUSAL);
    return refused;
  }
}
