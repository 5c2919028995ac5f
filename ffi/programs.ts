/**
 * How the program of each runtime is known from outside, and what it does when it is signalled.
 *
 * @module
 */

/**
 * V8 writes what it makes into `/tmp/perf-PID.map`. Interpreted functions get an entry of their own
 * there by the second flag; all of them run in one piece of code otherwise.
 */
const V8_CODE_NAMES = {
  map: "--perf-basic-prof",
  flags: ["--perf-basic-prof", "--interpreted-frames-native-stack"],
} as const;

/** In order: all three export Node-API, and Bun some of Node's own functions, too. */
export const RUNTIME_PROGRAMS = [
  {
    runtime: "node",
    title: "Node",
    symbol: "_ZN4node5StartEiPPc",
    inspector: true,
    codeNames: { variable: "NODE_OPTIONS", separator: " ", ...V8_CODE_NAMES },
  },
  {
    runtime: "bun",
    title: "Bun",
    symbol: "_ZN4node19GetCurrentEventLoopEPN2v87IsolateE",
    inspector: false,
    codeNames: null,
  },
  {
    runtime: "deno",
    title: "Deno",
    symbol: "napi_create_object",
    inspector: true,
    codeNames: { variable: "DENO_V8_FLAGS", separator: ",", ...V8_CODE_NAMES },
  },
] as const satisfies readonly RuntimeProgram[];

/** The program of a runtime. */
export interface RuntimeProgram {
  /** The runtime. */
  readonly runtime: string;
  /** Its name in sentences. */
  readonly title: string;
  /** A symbol that its program exports, and those after it in the list do not. */
  readonly symbol: string;
  /** Whether SIGUSR1 opens its inspector; it ends the others. */
  readonly inspector: boolean;
  /** How it is made to write down the names of the machine code that it makes; `null` where it cannot. */
  readonly codeNames: CodeNames | null;
}

/** Flags by which a runtime names its machine code, for who reads call stacks. */
export interface CodeNames {
  /** The variable that they are in. */
  readonly variable: string;
  /** What is between two of them. */
  readonly separator: string;
  /** The one of them that asks for the map. */
  readonly map: string;
  /** The flags. */
  readonly flags: readonly string[];
}
