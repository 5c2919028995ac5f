/**
 * One snapshot of this process, for its own metrics.
 *
 * @module
 */
import process from "node:process";
import { missingFlags } from "../../../ffi/mod.ts";
import { startOrCurrentEnvironment } from "../../environment.ts";
import { AgentError, PermissionError, SystemInfoError } from "../../errors.ts";
import { FIGURES, LIBRARIES } from "../../permissions.ts";
import { examineProcess } from "../../verify/own-library.ts";
import { askAgent } from "../agent/client.ts";
import type { AgentStats } from "../agent/types.ts";
import { openOwnGroup, readForMetrics } from "../memory/process-memory.ts";
import type { GroupFigures } from "../memory/types.ts";
import { launchOf, type LaunchRecord } from "../processes/launch.ts";
import type { MetricReading, Serving } from "./types.ts";

/** What a launch asked of this process; the environment of its start does not change. */
let launch: LaunchRecord | undefined;

function ownLaunch(): LaunchRecord {
  return launch ??= launchOf(readStart());
}

function readStart(): Readonly<Record<string, string>> {
  try {
    return startOrCurrentEnvironment().variables;
  } catch (error) {
    // Where it may not be read, nothing is said of a launch.
    if (error instanceof PermissionError || error instanceof SystemInfoError) return {};
    throw error;
  }
}

function ownServing(): Serving {
  if (missingFlags(LIBRARIES).length > 0) {
    return { name: "unknown", version: null, verified: false, profile: null, lost: null };
  }
  const { allocator, version, verified } = examineProcess();
  const { profile, isLost } = ownLaunch();
  return {
    name: allocator,
    version,
    verified,
    profile,
    // The shim may have been opened since, for blocks: it says nothing of the start.
    lost: isLost(allocator, true),
  };
}

/**
 * How often the agent is asked, and what the limits are: both change once in a while, and take longer
 * than everything else together. Prometheus, which by default comes every 15 s, has them of each scrape.
 */
const SELDOM_MS = 10_000;

let opened: { readonly at: number; readonly read: () => GroupFigures | string } | null = null;

/** What is left in the control group: now, of the limits of seconds before. */
function ownGroup(): GroupFigures | string {
  const now = performance.now();
  if (opened === null || now - opened.at >= SELDOM_MS) opened = { at: now, read: openOwnGroup() };
  return opened.read();
}

let asked: { readonly at: number; readonly stats: Promise<AgentStats | null> } | null = null;

function ownAgentStats(): Promise<AgentStats | null> {
  const now = performance.now();
  if (asked === null || now - asked.at >= SELDOM_MS) asked = { at: now, stats: askOwnAgent() };
  return asked.stats;
}

/** The agent of this process, which answers in a thread of its own; `null` where there is none. */
async function askOwnAgent(): Promise<AgentStats | null> {
  if (process.platform !== "linux" || missingFlags(FIGURES).length > 0) return null;
  if (!ownLaunch().agent) return null;
  try {
    return await askAgent(process.pid, "stats");
  } catch (error) {
    // It may have none: offheap was preloaded, and the process has made no thread.
    if (error instanceof AgentError || error instanceof PermissionError) return null;
    throw error;
  }
}

/** Reads this process. The figures are those of one moment; what the agent counts, of seconds before. */
export async function readOwnMetrics(): Promise<MetricReading> {
  const agent = await ownAgentStats();
  return {
    serving: ownServing(),
    memory: { ...readForMetrics(), group: ownGroup() },
    agent,
  };
}
