/**
 * The build as a command: its options, its display, its signals.
 *
 * @module
 */
import process from "node:process";
import { type Command, Option } from "commander";
import type { LibraryName, Variant } from "../../lib/library/manifest.ts";
import { type Display, liveDisplay, plainDisplay } from "./display.ts";
import { buildNative, type BuildOptions, type BuildResult } from "./mod.ts";
import { ALLOCATOR_CHOICES, VARIANT_CHOICES } from "./options.ts";

/** The values of the options that {@linkcode addBuildOptions} adds, as commander gives them. */
export interface BuildArguments {
  /** `--allocator`. */
  readonly allocator: NonNullable<BuildOptions["allocator"]>;
  /** `--mimalloc-version`. */
  readonly mimallocVersion?: string;
  /** `--source`. */
  readonly source?: string;
  /** `--variant`. */
  readonly variant: Variant;
  /** `--force`. */
  readonly force?: boolean;
  /** `--out`. */
  readonly out?: string;
  /** `--upstream`. */
  readonly upstream?: string;
  /** `--no-debian`. */
  readonly debian: boolean;
}

/** Below this, and where a terminal does not know its width, a list that redraws itself is no help. */
const LEAST_COLUMNS = 40;

const SIGNALS: Readonly<Partial<Record<NodeJS.Signals, number>>> = {
  SIGHUP: 129,
  SIGINT: 130,
  SIGTERM: 143,
};

/** Adds the build's options to a command. */
export function addBuildOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--allocator <name>", "which allocator to build, beside the shim")
        .choices(ALLOCATOR_CHOICES).default("all"),
    )
    .option("--mimalloc-version <version>", "a pinned version of mimalloc")
    .option("--source <place>", "take the allocator's source from a directory, an archive or a URL")
    .addOption(
      new Option("--variant <name>", "debug checks itself, secure guards against misuse")
        .choices(VARIANT_CHOICES).default("release"),
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
 * @param outDirectory Where the libraries of a variant go when `--out` is not given; absent for
 * the checkout's build directory.
 * @throws {BuildError} when it cannot be done.
 */
export async function runBuild(
  values: BuildArguments,
  outDirectory?: (variant: Variant) => string,
): Promise<void> {
  const { out, ...rest } = values;
  const directory = out ?? outDirectory?.(values.variant);
  const interrupt = new AbortController();
  const handlers = Object.entries(SIGNALS).map(([signal, status]) => {
    const handler = (): void => {
      process.exitCode = status;
      interrupt.abort(new Error(signal));
    };
    process.on(signal, handler);
    return { signal, handler };
  });
  const display = createDisplay(values);
  try {
    const results = await buildNative({
      ...rest,
      ...(directory === undefined ? {} : { outDirectory: directory }),
      signal: interrupt.signal,
      progress: display,
    });
    await display.end();
    printResults(results);
  } catch (error) {
    await display.end(error);
    if (!interrupt.signal.aborted) throw error;
    console.error("Interrupted; what was begun is removed.");
  } finally {
    for (const { signal, handler } of handlers) process.off(signal, handler);
  }
}

function createDisplay(values: BuildArguments): Display {
  const wide = process.stdout.isTTY === true && process.stdout.columns >= LEAST_COLUMNS;
  if (!wide) return plainDisplay((line) => console.log(line));
  const allocators: readonly LibraryName[] = values.allocator === "all"
    ? ["mimalloc", "jemalloc"]
    : [values.allocator];
  return liveDisplay(["offheap", ...allocators]);
}

function printResults(results: readonly BuildResult[]): void {
  for (const result of results) console.log(`${result.reason}\n  ${result.path}`);
  if (results.every((result) => result.outcome === "current")) console.log("Nothing to do.");
}
