/**
 * Running the build's tools, by zx and the POSIX shell.
 *
 * @module
 */
import process from "node:process";
import { $, which } from "zx";
import { BuildError } from "../../../lib/errors.ts";

/** How a tool is run. */
export interface RunOptions {
  /** The working directory. */
  readonly cwd: string;
  /** The whole environment. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Ends the tool and what it started. */
  readonly signal?: AbortSignal | undefined;
  /** What is being done, for the error: `compile mimalloc`. */
  readonly action: string;
  /** Seconds until the tool is ended; no limit when absent. */
  readonly timeoutSeconds?: number;
}

const SHOWN_LINES = 20;

/** Variables that would change a build without its knowledge. */
const DROPPED_VARIABLES: readonly string[] = [
  "CFLAGS",
  "CPPFLAGS",
  "CXXFLAGS",
  "LDFLAGS",
  "LIBS",
  "EXTRA_CFLAGS",
  "EXTRA_LDFLAGS",
  "MAKEFLAGS",
  "MAKELEVEL",
  "MFLAGS",
  "CONFIG_SITE",
  "LD_PRELOAD",
  "MALLOC_CONF",
];

/** What programs print when a disk is full. */
const NO_SPACE = /No space left on device|ENOSPC|Disk quota exceeded/;

/** What some failures mean, by what the tools print. */
const HINTS: readonly { readonly pattern: RegExp; readonly hint: string }[] = [
  {
    pattern: /fatal error: \S+\.h: No such file|cannot find \S*crt\S*\.o|cannot find -lc\b/,
    hint: "\nThe C library's headers seem to be missing: install libc6-dev (Debian, Ubuntu), " +
      "musl-dev (Alpine) or glibc-devel (Fedora).",
  },
  {
    pattern: /C compiler cannot create executables/,
    hint: "\nThe compiler does not work: install gcc and libc6-dev, or set CC to one that does.",
  },
];

/** The environment of the tools: the user's, without what would change the result. */
export function toolEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (value !== undefined && !DROPPED_VARIABLES.includes(name)) kept[name] = value;
  }
  return { ...kept, LC_ALL: "C" };
}

/** Where a program is on the path of an environment; `null` when it is not there. */
export async function findProgram(
  name: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<string | null> {
  return await which(name, { nothrow: true, path: environment["PATH"] ?? "" });
}

/** Quotes a word for the POSIX shell. */
function quoteWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/**
 * Runs a command and returns what it printed.
 *
 * @throws {BuildError} when it fails, with the last lines that it printed.
 */
export async function runTool(command: readonly string[], options: RunOptions): Promise<string> {
  options.signal?.throwIfAborted();
  const shell = $({
    cwd: options.cwd,
    env: { ...options.environment },
    shell: "/bin/sh",
    prefix: "",
    postfix: "",
    quote: quoteWord,
    quiet: true,
    nothrow: true,
    stdio: ["ignore", "pipe", "pipe"],
    // A group of its own, so that ending it ends the compilers that make started, too.
    detached: true,
  });
  const running = shell`exec ${[...command]}`;
  // By the process group's ID: zx's own way would need the program ps.
  const stop = (): void => stopGroup(running.pid);
  options.signal?.addEventListener("abort", stop, { once: true });
  const seconds = options.timeoutSeconds;
  const timer = seconds === undefined ? undefined : setTimeout(stop, seconds * 1000);
  let output;
  try {
    output = await running;
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", stop);
  }
  options.signal?.throwIfAborted();
  if (output.exitCode === 0) return output.stdout;
  if (NO_SPACE.test(output.stderr)) throw noSpace(options.action, options.cwd);
  const lines = `${output.stdout}\n${output.stderr}`.trim().split("\n").slice(-SHOWN_LINES);
  const ending = output.signal
    ? `was ended by ${output.signal}`
    : `failed with status ${output.exitCode}`;
  const said = lines.join("") === ""
    ? " It said nothing."
    : ` Its last lines:\n${lines.map((line) => `  ${line}`).join("\n")}`;
  throw new BuildError(
    `Cannot ${options.action}: "${command[0]}" ${ending}.${said}` +
      (HINTS.find(({ pattern }) => pattern.test(output.stdout + output.stderr))?.hint ?? ""),
  );
}

function stopGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGTERM");
  } catch (error) {
    // It may have ended in the meantime.
    if (!(error instanceof Error) || Reflect.get(error, "code") !== "ESRCH") throw error;
  }
}

/** Whether an error says that a disk is full. */
export function isNoSpace(error: unknown): boolean {
  return error instanceof Error &&
    ["ENOSPC", "EDQUOT"].includes(String(Reflect.get(error, "code")));
}

/** The error for a full disk. */
export function noSpace(action: string, directory: string): BuildError {
  return new BuildError(
    `Cannot ${action}: there is no space left on the disk of "${directory}". ` +
      "Free some space there, or build elsewhere.",
  );
}
