/**
 * The four runtimes that offheap is tested in, and how each is found and started.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";
import { ROOT } from "./paths.ts";
import { howItEnded, runToEnd } from "./processes.ts";

/** The short names of runtimes; of {@linkcode RUNTIMES}, `--runtime` takes them. */
export type RuntimeName = "deno" | "bun" | "node26" | "node24" | "node22";

/** One row of {@linkcode RUNTIMES}. */
export interface RuntimeSpec {
  /** The short name. */
  readonly name: RuntimeName;
  /** The name in tables. */
  readonly title: string;
  /** The environment variable that names another binary. */
  readonly variable: string;
  /** Where its npm package leaves the binary, below `node_modules`. */
  readonly packaged: readonly string[];
  /** The command's name on `PATH`. */
  readonly command: string;
  /** The versions that will do, in words. */
  readonly wanted: string;
  /** Whether a version will do. */
  readonly fits: (major: number, minor: number) => boolean;
  /** Arguments before a script. */
  readonly run: readonly string[];
  /** Arguments before a test file. */
  readonly test: readonly string[];
  /** The option for the JUnit report, to whose end its path is put. */
  readonly testReport: string;
  /** The option in front of a pattern for test names. */
  readonly testFilter: string;
}

const EXE: string = process.platform === "win32" ? ".exe" : "";

/** Results are shown as they come, and reported at the end. */
const NODE_TEST: readonly string[] = [
  "--test-reporter=spec",
  "--test-reporter-destination=stdout",
  "--test-reporter=junit",
];
const NODE_REPORT = "--test-reporter-destination=";
const NODE_PACKAGE = `node-${process.platform}-${process.arch}`;

/**
 * The runtimes. Node runs a test file directly, not through `node --test`: that would count a file
 * without any test as one that passed. Bun's limit of 5 s a test is raised; the runner has its own.
 */
export const RUNTIMES: readonly RuntimeSpec[] = [
  {
    name: "deno",
    title: "Deno",
    variable: "OFFHEAP_TEST_DENO",
    packaged: [`deno/deno${EXE}`],
    command: "deno",
    wanted: "2.9 or later",
    fits: (major, minor) => major > 2 || (major === 2 && minor >= 9),
    run: ["run", "-A"],
    test: ["test", "-A", "--no-check"],
    testReport: "--junit-path=",
    testFilter: "--filter",
  },
  {
    name: "bun",
    title: "Bun",
    variable: "OFFHEAP_TEST_BUN",
    packaged: ["bun/bin/bun.exe"],
    command: "bun",
    wanted: "1.4 or later",
    fits: (major, minor) => major > 1 || (major === 1 && minor >= 4),
    run: ["run"],
    test: ["test", "--timeout", "300000", "--reporter=junit"],
    testReport: "--reporter-outfile=",
    testFilter: "--test-name-pattern",
  },
  {
    name: "node26",
    title: "Node 26",
    variable: "OFFHEAP_TEST_NODE26",
    packaged: [`${NODE_PACKAGE}/bin/node${EXE}`],
    command: "node",
    wanted: "26 or later (built-in node:ffi)",
    fits: (major) => major >= 26,
    run: [],
    test: NODE_TEST,
    testReport: NODE_REPORT,
    testFilter: "--test-name-pattern",
  },
  {
    name: "node22",
    title: "Node 22",
    variable: "OFFHEAP_TEST_NODE22",
    packaged: [`${NODE_PACKAGE}-22/bin/node${EXE}`],
    command: "node",
    wanted: "22.18 to 22.x",
    fits: (major, minor) => major === 22 && minor >= 18,
    run: [],
    test: NODE_TEST,
    testReport: NODE_REPORT,
    testFilter: "--test-name-pattern",
  },
];

/** Node 24, which `npm run test:platforms` runs besides. */
export const NODE24: RuntimeSpec = {
  name: "node24",
  title: "Node 24",
  variable: "OFFHEAP_TEST_NODE24",
  packaged: [],
  command: "node",
  wanted: "24.x",
  fits: (major) => major === 24,
  run: [],
  test: NODE_TEST,
  testReport: NODE_REPORT,
  testFilter: "--test-name-pattern",
};

/** A runtime that was found. */
export interface Runtime {
  /** Its row. */
  readonly spec: RuntimeSpec;
  /** The binary's path. */
  readonly binary: string;
  /** Its version, without a leading `v`. */
  readonly version: string;
  /** Words in front of its command, where an emulator or the like starts it. */
  readonly prefix?: readonly string[];
  /** Variables that its processes have besides this one's. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Where its test files are as JavaScript, as they are in the root; it reads the sources without. */
  readonly bundle?: string;
  /** What its programs call the repository's root, where that is another name: wine has drives. */
  readonly root?: string | undefined;
}

/** A runtime that was looked for and not found. */
export interface MissingRuntime {
  /** Its row. */
  readonly spec: RuntimeSpec;
  /** What was tried, and how each attempt ended. */
  readonly reason: string;
}

/** How the search for the runtimes ended. */
export interface FoundRuntimes {
  /** Those that were found, in the order of {@linkcode RUNTIMES}. */
  readonly found: readonly Runtime[];
  /** Those that were not. */
  readonly missing: readonly MissingRuntime[];
}

/**
 * Checks names given by the user.
 *
 * @throws {RangeError} when one is not a runtime's name; the message lists them.
 */
export function parseRuntimeNames(names: readonly string[]): RuntimeSpec[] {
  const known = new Set(RUNTIMES.map((spec): string => spec.name));
  for (const name of names) {
    if (known.has(name)) continue;
    const list = [...known].join(", ");
    throw new RangeError(`Cannot choose runtimes: a name must be one of ${list}; got "${name}"`);
  }
  return RUNTIMES.filter((spec) => names.length === 0 || names.includes(spec.name));
}

/** Looks for each runtime and asks it for its version: a binary that does not start is not found. */
export async function findRuntimes(specs: readonly RuntimeSpec[]): Promise<FoundRuntimes> {
  const results = await Promise.all(specs.map(findRuntime));
  return {
    found: results.filter((result) => "binary" in result),
    missing: results.filter((result) => "reason" in result),
  };
}

async function findRuntime(spec: RuntimeSpec): Promise<Runtime | MissingRuntime> {
  const tried: string[] = [];
  for (const binary of candidates(spec)) {
    if (!existsSync(binary)) {
      tried.push(`${binary} does not exist`);
      continue;
    }
    const answer = await askVersion(binary);
    const match = /(\d+)\.(\d+)\.(\d+)/.exec(answer);
    if (match === null) tried.push(`${binary} does not start (${answer})`);
    else if (spec.fits(Number(match[1]), Number(match[2]))) {
      return { spec, binary, version: match[0] };
    } else tried.push(`${binary} is version ${match[0]}`);
  }
  const reason = `${spec.wanted} is needed; ${tried.join("; ")}. ` +
    `Set ${spec.variable} to the path of one.`;
  return { spec, reason };
}

/** The paths to try, best first. A path set by the user is the only one: it is never passed over. */
function candidates(spec: RuntimeSpec): string[] {
  const chosen = process.env[spec.variable];
  if (chosen !== undefined && chosen !== "") return [chosen];
  const paths = spec.packaged.map((file) => join(ROOT, "node_modules", file));
  if (spec.command === "node" && process.versions["bun"] === undefined) {
    paths.push(process.execPath);
  }
  for (const directory of (process.env["PATH"] ?? "").split(delimiter)) {
    const file = join(directory, spec.command + EXE);
    // npm puts its own links in front; they lead to the packages above.
    if (directory !== "" && !directory.includes("node_modules") && existsSync(file)) {
      paths.push(file);
    }
  }
  return [...new Set(paths)];
}

async function askVersion(binary: string): Promise<string> {
  try {
    const ending = await runToEnd([binary, "--version"], { limit: 20_000 });
    if (ending.status === 0) return ending.stdout.split("\n", 1)[0] ?? "";
    return `--version ${howItEnded(ending)}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
