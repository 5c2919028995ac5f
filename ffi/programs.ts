/**
 * How the program of each runtime is known from outside, and what it does when it is signalled.
 *
 * @module
 */

/** In order: all three export Node-API, and Bun some of Node's own functions, too. */
export const RUNTIME_PROGRAMS = [
  { runtime: "node", title: "Node", symbol: "_ZN4node5StartEiPPc", inspector: true },
  {
    runtime: "bun",
    title: "Bun",
    symbol: "_ZN4node19GetCurrentEventLoopEPN2v87IsolateE",
    inspector: false,
  },
  { runtime: "deno", title: "Deno", symbol: "napi_create_object", inspector: true },
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
}
