/**
 * From a dump of jemalloc's to a profile.
 *
 * @module
 */
import { readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { REPLACED } from "../../system/types.ts";
import { environmentOf } from "../processes/launch.ts";
import { programOf, runtimeOf } from "../processes/runtime.ts";
import { findCodeMap } from "./code-map.ts";
import type { Dump } from "./dump.ts";
import { joinSamples } from "./samples.ts";
import { scaleSample } from "./scale.ts";
import { type AddressSpace, symbolize } from "./symbolize.ts";
import type { HeapFrame, HeapMapping, HeapProfile, HeapSample } from "./types.ts";

/** A process, as this one sees it. */
export interface ProfiledProcess {
  /** Its directory in `/proc`. */
  readonly directory: string;
  /** Its process ID in its own namespace. */
  readonly ownPid: number;
}

/** What is needed to name the addresses of a process, but for what it has mapped. */
export type ProcessFiles = Omit<AddressSpace, "mappings"> & {
  /** What is to be said of it. */
  readonly notes: readonly string[];
};

/**
 * Looks at a process's files at the moment of a dump: code that is compiled later may have the place of
 * what was on the stacks.
 */
export function lookAtProcess({ directory, ownPid }: ProfiledProcess): ProcessFiles {
  const root = join(directory, "root");
  const link = readlinkSync(join(directory, "exe"));
  const program = link.endsWith(REPLACED) ? link.slice(0, -REPLACED.length) : link;
  const runtime = runtimeOf(join(directory, "exe"));
  const environment = environmentOf(readFileSync(join(directory, "environ"), "utf8").split("\0"));
  const known = programOf(runtime);
  return {
    open: (file) => file === program ? join(directory, "exe") : join(root, file),
    runtime: runtime === null ? null : program,
    compiled: known?.compiledFiles?.(environment) ?? null,
    ...findCodeMap(known, { directory, ownPid, environment }),
  };
}

/** The program comes first, as readers of pprof take it for what was profiled. */
function programFirst(mappings: readonly HeapMapping[], runtime: string | null): HeapMapping[] {
  return mappings.toSorted((a, b) => Number(b.path === runtime) - Number(a.path === runtime));
}

/** What takes the sample is on its stack, too: of the shim's and of jemalloc's. */
const SAMPLING = /^(?:take_\w*backtrace|(?:je_)?prof_\w+)$/;

function withoutSampling(stack: readonly HeapFrame[]): readonly HeapFrame[] {
  const first = stack.findIndex(({ kind, name }) => kind !== "runtime" || !SAMPLING.test(name));
  return first < 0 ? stack : stack.slice(first);
}

/** Makes the profile of a dump. */
export async function assembleProfile(
  dump: Dump,
  files: ProcessFiles,
  facts: Pick<HeapProfile, "pid" | "at">,
): Promise<HeapProfile> {
  const { interval, stacks, mappings } = dump;
  const symbols = await symbolize(stacks, { ...files, mappings });
  const counted = stacks.some(({ allocated }) => allocated.objects > 0);
  const samples = stacks.map(({ inUse, allocated }, index): HeapSample => ({
    source: "malloc",
    stack: withoutSampling(symbols.stacks[index] ?? []),
    inUse: scaleSample(inUse, interval),
    allocated: counted ? scaleSample(allocated, interval) : null,
    sampled: inUse.objects,
  }));
  return {
    ...facts,
    milliseconds: null,
    interval,
    samples: joinSamples(samples),
    mappings: programFirst(symbols.mappings, files.runtime),
    absent: {},
    notes: [...files.notes, ...symbols.notes],
  };
}
