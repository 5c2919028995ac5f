/**
 * How the program of each runtime is known from outside, and what it does when it is signalled.
 *
 * @module
 */

/** Where V8 writes down the names of its code. */
export const CODE_MAP_DIRECTORY = "/tmp";

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
    ownAllocator: false,
    codeNames: { variable: "NODE_OPTIONS", separator: " ", ...V8_CODE_NAMES },
    compiledFiles: null,
  },
  {
    runtime: "bun",
    title: "Bun",
    symbol: "_ZN4node19GetCurrentEventLoopEPN2v87IsolateE",
    inspector: false,
    ownAllocator: true,
    codeNames: null,
    compiledFiles: null,
  },
  {
    runtime: "deno",
    title: "Deno",
    symbol: "napi_create_object",
    inspector: true,
    ownAllocator: false,
    codeNames: { variable: "DENO_V8_FLAGS", separator: ",", ...V8_CODE_NAMES },
    compiledFiles: ({ DENO_DIR, XDG_CACHE_HOME, HOME }) =>
      `${DENO_DIR ?? `${XDG_CACHE_HOME ?? `${HOME}/.cache`}/deno`}/gen/file`,
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
  /** Whether its buffers come from an allocator inside of it, which nothing replaces. */
  readonly ownAllocator: boolean;
  /** How it is made to write down the names of the machine code that it makes; `null` where it cannot. */
  readonly codeNames: CodeNames | null;
  /**
   * Where it keeps what it has made of TypeScript, by its environment: of a file the same path below, with
   * `.js` at the end, and a source map in it. `null` where lines stay as they are.
   */
  readonly compiledFiles: ((environment: Environment) => string) | null;
}

type Environment = Readonly<Record<string, string | undefined>>;

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
