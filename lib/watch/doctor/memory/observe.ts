/**
 * Observing the memory of this process, and that of another one by its agent and the kernel.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import { findAllocator, type ProcessAllocator } from "../../../allocators/mod.ts";
import { type ArenaFigures, figures, noFigures } from "../../../allocators/statistics.ts";
import { AgentError, OffheapError } from "../../../errors.ts";
import { processStatistics } from "../../../verify/process-statistics.ts";
import { askAgent } from "../../agent/client.ts";
import { readKernelFigures } from "../../memory/kernel.ts";
import { processMemory } from "../../memory/process-memory.ts";
import {
  type CountedAllocator,
  JAVASCRIPT_FIGURES,
  type JavaScriptFigures,
} from "../../memory/types.ts";
import type { ArenaSpread, Observation } from "./observation.ts";

/** An arena with less unused memory than that does not count. */
const LEAST_UNUSED = 2 ** 20;

const ONLY_INSIDE = "only the process itself can ask its allocator for each arena";

/** What is known of another process beforehand. */
export interface OtherProcess {
  /** Its process ID. */
  readonly pid: number;
  /** Who serves `malloc` in it, as seen from outside. */
  readonly allocator: ProcessAllocator;
  /** Reads its JavaScript heap; a string says why nothing can. */
  readonly heap: (() => Promise<JavaScriptFigures>) | string;
}

/**
 * Observes this process.
 *
 * @param full Whether to have the kernel walk all pages, too, for what is in huge ones.
 */
export function observeOwn(full: boolean): Observation {
  return { ...processMemory({ full }), threads: readThreads("self"), spread: readSpread() };
}

/**
 * Observes another process.
 *
 * @param full As for {@linkcode observeOwn}.
 * @throws {SystemInfoError} when it has ended.
 */
export async function observeOther(
  { pid, allocator, heap }: OtherProcess,
  full: boolean,
): Promise<Observation> {
  const counted = await askAllocator(pid, allocator);
  const javascript = typeof heap === "string"
    ? figures(JAVASCRIPT_FIGURES, {}, heap)
    : await heap();
  return observeKernel(pid, counted, javascript, full);
}

/**
 * An observation of another process of which the rest is known.
 *
 * @param counted What its allocator counts.
 * @param javascript What its JavaScript heap counts.
 * @throws As {@linkcode observeOther}.
 */
export function observeKernel(
  pid: number,
  counted: CountedAllocator,
  javascript: JavaScriptFigures,
  full: boolean,
): Observation {
  return {
    at: Date.now(),
    allocator: counted,
    own: [],
    runtimeAllocator: null,
    kernel: readKernelFigures({ pid, full }),
    javascript,
    threads: readThreads(String(pid)),
    spread: ONLY_INSIDE,
  };
}

async function askAllocator(pid: number, seen: ProcessAllocator): Promise<CountedAllocator> {
  try {
    const { allocator, version, counted, absent } = await askAgent(pid, "stats");
    const name = findAllocator(allocator)?.name ?? seen;
    return { name, version, figures: { ...counted, absent } };
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return { name: seen, version: null, figures: noFigures(error.message.replace(/\.$/, "")) };
  }
}

/** How unused memory is spread over the arenas of the allocator that serves this process. */
function readSpread(): ArenaSpread | string {
  try {
    const arenas = processStatistics().statistics.readArenas();
    return typeof arenas === "string" ? arenas : spreadOf(arenas);
  } catch (error) {
    if (error instanceof OffheapError || error instanceof RangeError) return error.message;
    throw error;
  }
}

/** How unused memory is spread over arenas. */
function spreadOf(arenas: readonly ArenaFigures[]): ArenaSpread {
  const unused = arenas.map(({ figures: { allocated = 0, active, mapped = 0, dirty = 0 } }) =>
    Math.max(0, (active ?? mapped) - allocated) + dirty
  ).filter((bytes) => bytes >= LEAST_UNUSED);
  const sum = unused.reduce((total, bytes) => total + bytes, 0);
  return { arenas: unused.length, unused: sum - Math.max(0, ...unused) };
}

/** A process's threads; `null` where the system does not say. */
function readThreads(name: string): number | null {
  if (process.platform !== "linux") return null;
  try {
    const status = readFileSync(`/proc/${name}/status`, "utf8");
    return Number(/^Threads:\s+(\d+)$/m.exec(status)?.[1] ?? 0) || null;
  } catch {
    // It is one figure among many, and the others say why nothing can be read.
    return null;
  }
}
