/**
 * What is compared: jemalloc without samples, and each way to have them.
 *
 * @module
 */
import { CLI } from "../../tools/paths.ts";

/** What `offheap run -a jemalloc` gets, and variables besides. */
export interface SetUp {
  readonly options: readonly string[];
  readonly variables?: Readonly<Record<string, string>>;
}

/** What the others are compared with. */
export const BASELINE: SetUp = { options: [] };

/** By their names in the table. */
export const SETUPS: Readonly<Record<string, SetUp>> = {
  "itself": BASELINE,
  "sampling prepared, without the map of code": {
    options: [],
    variables: { MALLOC_CONF: "prof:true,prof_active:false,lg_prof_sample:19" },
  },
  "prepared": { options: ["--heap-profiling"] },
  "active": { options: ["--heap-profiling", "--active"] },
};

/** The command of a program in a set-up. */
export function launched(node: string, { options }: SetUp, ...program: string[]): string[] {
  return [CLI, "run", "-a", "jemalloc", ...options, "--", node, ...program];
}
