/**
 * What `offheap heap` does.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import type { Command } from "commander";
import { AgentError, HeapProfileError } from "../errors.ts";
import { writeNamed } from "../system/files.ts";
import { formatBytes } from "../units.ts";
import { askAgent } from "../watch/agent/client.ts";
import { profileDifference } from "../watch/heap/difference.ts";
import { factsOf } from "../watch/heap/facts.ts";
import { renderFlameGraph } from "../watch/heap/flame-graph.ts";
import { GrowthGauge, keepProfile } from "../watch/heap/kept.ts";
import { encodeProfile } from "../watch/heap/pprof.ts";
import { decodeProfile } from "../watch/heap/pprof-read.ts";
import { type FunctionRow, functionTable } from "../watch/heap/table.ts";
import { switchSampling, takeHeapProfile } from "../watch/heap/take.ts";
import type { HeapProfile } from "../watch/heap/types.ts";
import { headline, percent, reliability, remarks } from "../watch/heap/words.ts";
import { type Column, layOut } from "./columns.ts";
import { isTerminal, printable, requireWritable, terminalWidth } from "./output.ts";
import { print, printJson } from "./print.ts";

/** What the command line gives. */
export interface HeapArguments {
  readonly pid?: number;
  readonly output?: string;
  readonly seconds?: number;
  readonly start?: boolean;
  readonly stop?: boolean;
  readonly top?: boolean;
  readonly rows: number;
  readonly runtime?: boolean;
  readonly objects?: boolean;
  readonly html?: string;
  readonly json?: boolean;
  readonly atGrowth?: number;
  readonly directory: string;
  readonly keep: number;
}

/** What is asked of a process, and not of a profile that was kept. */
const OF_PROCESSES = ["seconds", "start", "stop", "atGrowth"] as const;

/** How often memory is looked at for growth. */
const LOOK_MS = 1000;

const COLUMNS: readonly Column<FunctionRow>[] = [
  { head: "own", right: true, droppable: 0, cell: ({ own }) => formatBytes(Math.round(own)) },
  { head: "", right: true, droppable: 2, cell: ({ ownShare }) => percent(ownShare) },
  {
    head: "with callees",
    right: true,
    droppable: 0,
    cell: ({ total }) => formatBytes(Math.round(total)),
  },
  { head: "", right: true, droppable: 1, cell: ({ totalShare }) => percent(totalShare) },
  { head: "function", droppable: 0, cell: ({ name }) => printable(name) },
];

function showTable(profile: HeapProfile, { rows, runtime, objects }: HeapArguments): void {
  print(headline(profile));
  print(`${reliability(profile)}.`);
  for (const remark of remarks(profile)) print(printable(remark));
  const sources = objects === true ? { sources: ["javascript"] as const } : {};
  const table = functionTable(profile, { runtime: runtime === true, ...sources });
  print("");
  if (table.length === 0) return print("No function has any of it.");
  const width = isTerminal() ? terminalWidth() : null;
  for (const line of layOut(COLUMNS, table.slice(0, rows), width)) print(line);
  const left = table.length - rows;
  if (left > 0) print(`… and ${left} more functions (--rows ${table.length})`);
}

async function show(profile: HeapProfile, options: HeapArguments): Promise<void> {
  const { output, html, json, top, runtime } = options;
  if (output !== undefined) writeNamed(output, await encodeProfile(profile));
  if (html !== undefined) writeNamed(html, renderFlameGraph(profile));
  if (json === true) {
    const { pid, at, milliseconds, interval, absent, notes } = profile;
    const functions = functionTable(profile, { runtime: runtime === true });
    printJson({ pid, at, milliseconds, interval, ...factsOf(profile), absent, notes, functions });
    return;
  }
  if (top === true || (output === undefined && html === undefined)) {
    return showTable(profile, options);
  }
  print(headline(profile));
  for (const file of [output, html]) if (file !== undefined) print(`Written: ${file}`);
}

function readProfile(path: string): Promise<HeapProfile> {
  let bytes;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if (!(error instanceof Error && "syscall" in error)) throw error;
    const process = /^\d+$/.test(path) ? ` A process is named by --pid ${path}.` : "";
    const why = `Cannot read the heap profile in "${path}": ${error.message}.${process}`;
    throw new HeapProfileError(why, { cause: error });
  }
  return decodeProfile(bytes, `"${path}"`);
}

/** The process's resident memory; `null` when it has ended. */
async function residentOf(pid: number): Promise<number | null> {
  try {
    return (await askAgent(pid, "stats")).resident;
  } catch (error) {
    if (error instanceof AgentError) return null;
    throw error;
  }
}

/** Takes a profile now, and one each time the process has grown, until it ends. */
async function watchGrowth(
  pid: number,
  growth: number,
  { directory, keep }: HeapArguments,
): Promise<void> {
  const take = async (resident: number): Promise<void> => {
    const profile = await takeHeapProfile(pid);
    const path = keepProfile({ directory, keep }, profile, await encodeProfile(profile));
    print(`${formatBytes(resident)} resident: ${path}`);
  };
  let resident: number | null = (await askAgent(pid, "stats")).resident;
  await take(resident);
  const gauge = new GrowthGauge(growth, resident);
  for (;;) {
    await setTimeout(LOOK_MS);
    resident = await residentOf(pid);
    if (resident !== null && gauge.hasGrown(resident)) {
      await take(resident);
      resident = await residentOf(pid);
      if (resident !== null) gauge.restart(resident);
    }
    if (resident === null) return print(`Process ${pid} has ended, or its agent has.`);
  }
}

/** The profile that the words name: a file, or the difference of two. */
async function named(words: readonly string[], command: Command): Promise<HeapProfile> {
  const [first = "", second, third, ...more] = words;
  if (first !== "diff" && second === undefined) return await readProfile(first);
  if (first !== "diff" || second === undefined || third === undefined || more.length > 0) {
    command.error('error: name one profile, or two as in "offheap heap diff A.pb.gz B.pb.gz"');
  }
  return profileDifference(await readProfile(second), await readProfile(third));
}

/** Runs the command. */
export async function reportHeap(
  words: readonly string[],
  options: HeapArguments,
  command: Command,
): Promise<void> {
  const { pid, seconds, atGrowth, start, stop } = options;
  if (pid === undefined) {
    if (words.length === 0) {
      command.error('error: name a process or a profile, as in "offheap heap --pid 123"');
    }
    const [option] = OF_PROCESSES.filter((name) => options[name] !== undefined);
    if (option !== undefined) {
      const flag = command.options.find((each) => each.attributeName() === option)?.long;
      command.error(`error: ${flag} is about a process: name it by --pid`);
    }
    return await show(await named(words, command), options);
  }
  if (words.length > 0) command.error(`error: one of a process and a profile; got both`);
  if (start === true || stop === true) {
    await switchSampling(pid, start === true ? "start" : "stop");
    return print(
      start === true
        ? `Process ${pid} is sampled from now on: "offheap heap --pid ${pid}" shows what is in use of it.`
        : `Process ${pid} is not sampled any more.`,
    );
  }
  if (atGrowth !== undefined) return await watchGrowth(pid, atGrowth, options);
  requireWritable(options.output, options.html);
  const milliseconds = seconds === undefined ? undefined : seconds * 1000;
  await show(await takeHeapProfile(pid, { milliseconds }), options);
}
