/**
 * The build as a command: its options, its display, its signals.
 *
 * @module
 */
import process from "node:process";
import { Command, CommanderError, Option } from "commander";
import { formatTable } from "../../lib/cli/output.ts";
import { VERSION } from "../../lib/version.ts";
import { librariesOf, type LibraryName, type Variant } from "../../lib/library/manifest.ts";
import { hostTarget } from "../../lib/library/target.ts";
import {
  BY_LIBRARY,
  BY_TARGET,
  type Display,
  type Grouping,
  liveDisplay,
  plainDisplay,
} from "./display.ts";
import { releasedVariants, TARGETS } from "../../lib/library/targets.ts";
import { formatBytes } from "../../lib/units.ts";
import { targetsFor } from "./toolchain/zig.ts";
import { buildNative, type BuildOptions, type BuildResult } from "./mod.ts";
import { chosenAllocators } from "./plan/libraries.ts";
import { ALLOCATOR_CHOICES, VARIANT_CHOICES } from "./plan/options.ts";

/** The values of the options, as commander gives them. */
interface BuildArguments
  extends
    Required<Pick<BuildOptions, "allocator" | "debian">>,
    Pick<BuildOptions, "jemallocVersion" | "mimallocVersion" | "source" | "target" | "variant">,
    Pick<BuildOptions, "force" | "upstream"> {
  /** `--out`. */
  readonly out?: string;
}

/** Below this, and where a terminal does not know its width, a list that redraws itself is no help. */
const MIN_COLUMNS = 40;

const SIGNALS: Readonly<Partial<Record<NodeJS.Signals, number>>> = {
  SIGHUP: 129,
  SIGINT: 130,
  SIGTERM: 143,
};

/**
 * Runs the build's command line, and sets the exit status: 1 for a build that failed, 2 for wrong
 * usage.
 *
 * @param name The command's name.
 * @param builds As for {@linkcode runBuild}.
 */
export async function runBuildCommand(name: string, builds?: () => string): Promise<void> {
  const command = createCommand(name)
    .action((values: BuildArguments) => runBuild(values, builds));
  try {
    await command.parseAsync();
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : 2;
      return;
    }
    console.error(error instanceof Error ? `error: ${error.message}` : error);
    process.exitCode = 1;
  }
}

/** The build's command, with its options. */
function createCommand(name: string): Command {
  return new Command(name)
    .description("Builds jemalloc, mimalloc and offheap's shim.")
    .version(VERSION)
    .exitOverride()
    .addOption(
      new Option("--allocator <name>", "which allocator to build, beside the shim")
        .choices(ALLOCATOR_CHOICES).default("all"),
    )
    .option("--jemalloc-version <version>", "a pinned version of jemalloc")
    .option("--mimalloc-version <version>", "a pinned version of mimalloc")
    .option("--source <place>", "take the allocator's source from a directory, an archive or a URL")
    .addOption(
      new Option(
        "--target <name>",
        "built by zig, for any machine of that kind (default: this machine, by its own compiler)",
      ).choices(["all", ...TARGETS.map((target) => target.name)]),
    )
    .addOption(
      new Option(
        "--variant <name>",
        "release is opened by a program, preload serves a whole process, debug checks itself, " +
          "secure guards against misuse (default: all that a release has)",
      ).choices(VARIANT_CHOICES),
    )
    .option("--force", "build also what is up to date, and ask the network again")
    .option("--out <directory>", "where the libraries go")
    .option("--upstream <url>", "take archives from below this URL (https:, http:, file:)")
    .option("--no-debian", "do not ask Debian's source packages");
}

/**
 * Builds with a display, and prints what was made. Ends on SIGHUP, SIGINT and SIGTERM, with the
 * exit status that goes with the signal, after removing what was begun.
 *
 * @param builds The directory in which each target and variant gets its own when `--out` is not
 * given; absent for the checkout's.
 * @throws {BuildError} when it cannot be done.
 */
async function runBuild(
  values: BuildArguments,
  builds?: () => string,
): Promise<void> {
  const { out, ...rest } = values;
  const place = out === undefined ? builds?.() : undefined;
  const display = createDisplay(values);
  const interrupt = new AbortController();
  const handlers = Object.entries(SIGNALS).map(([signal, status]) => {
    const handler = (): void => {
      process.exitCode = status;
      interrupt.abort(new Error(signal));
    };
    process.on(signal, handler);
    return { signal, handler };
  });
  try {
    const results = await buildNative({
      ...rest,
      ...(out === undefined ? {} : { outDirectory: out }),
      ...(place === undefined ? {} : { buildsDirectory: place }),
      signal: interrupt.signal,
      progress: display,
    });
    await display.end();
    printResults(results, values.target);
  } catch (error) {
    await display.end(error);
    if (!interrupt.signal.aborted) throw error;
    console.error("Interrupted; what was begun is removed.");
  } finally {
    for (const { signal, handler } of handlers) process.off(signal, handler);
  }
}

function createDisplay(values: BuildArguments): Display {
  const wide = process.stdout.isTTY === true && process.stdout.columns >= MIN_COLUMNS;
  const by = values.target === undefined ? BY_LIBRARY : BY_TARGET;
  return wide
    ? liveDisplay(by, titlesOf(by, values))
    : plainDisplay(by, (line) => console.log(line));
}

function titlesOf(by: Grouping, { allocator, target, variant }: BuildArguments): string[] {
  const variantsOf = (all: readonly Variant[]): readonly Variant[] =>
    variant === undefined ? all : [variant];
  if (target === undefined) {
    const { name: host } = hostTarget();
    const wanted: readonly LibraryName[] = ["offheap", ...chosenAllocators(allocator)];
    return variantsOf(releasedVariants(host)).flatMap((built) =>
      wanted.filter((name) => librariesOf(built).includes(name))
        .map((name) => by.title({ name, target: host, variant: built }))
    );
  }
  return targetsFor(target).flatMap(({ name, variants }) =>
    variantsOf(variants).map((built) => by.title({ name: "offheap", target: name, variant: built }))
  );
}

function printResults(results: readonly BuildResult[], target: string | undefined): void {
  if (target === undefined) {
    for (const result of results) console.log(`${result.reason}\n  ${result.path}`);
  } else {
    console.log(resultsTable(results));
  }
  if (results.every((result) => result.outcome === "current")) console.log("Nothing to do.");
}

function resultsTable(results: readonly BuildResult[]): string {
  const head = ["target", "variant", "library", "version", "size", "exports", "outcome"];
  const rows = results.map(({ name, target, variant, version, outcome, manifest }) => {
    const { bytes, exports } = manifest;
    return [target, variant, name, version, formatBytes(bytes), `${exports.length}`, outcome];
  });
  return formatTable(head, rows);
}
