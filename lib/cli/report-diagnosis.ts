/**
 * What the doctor says of memory, for people.
 *
 * @module
 */
import { formatBytes } from "../units.ts";
import { PART_NAMES } from "../watch/doctor/memory/observation.ts";
import type {
  MemoryFinding,
  MemoryReport,
  MemoryTrends,
  MemoryVerdict,
} from "../watch/doctor/memory/types.ts";
import { formatTable, isTerminal, paint, terminalWidth, type Tone, wrapWords } from "./output.ts";
import { print } from "./print.ts";

/** The others are bad. */
const TONES: Readonly<Partial<Record<MemoryVerdict, Tone>>> = {
  healthy: "good",
  "too small to tell": "quiet",
  "cannot tell": "quiet",
  "held back after a burst": "doubtful",
};

/** Figures that are no bytes. */
const PLAIN: readonly string[] = ["arenas"];

/** Prints where memory is, the verdict, what it rests on, and what to do. */
export function printDiagnosis(report: MemoryReport): void {
  for (const line of [...memoryTable(report), ...memoryWords(report)]) print(line);
}

/** Where memory is, as lines. */
export function memoryTable({ resident, parts }: MemoryReport): string[] {
  const rows = Object.entries(PART_NAMES).map(([name, title]) => {
    const bytes = parts[name as keyof typeof PART_NAMES];
    return bytes === null
      ? [title, "unknown", "–"]
      : [title, formatBytes(bytes), share(bytes, resident)];
  });
  const all = [...rows, ["resident", formatBytes(resident), "100 %"]];
  return formatTable(["memory", "bytes", "share"], all).split("\n");
}

/** The verdict, what it rests on, and what to do, as lines. */
export function memoryWords(report: MemoryReport): string[] {
  const { trends, purge, also, notSeen } = report;
  const said: readonly (readonly [string, string])[] = [
    ...(trends === null ? [] : [["watched", sayTrends(trends)] as const]),
    ...(purge === null ? [] : [["purge", sayPurge(purge)] as const]),
    ...sayFinding("verdict", report),
    ...also.flatMap((finding) => sayFinding("also", finding)),
    ...notSeen.map((line) => ["not seen", line] as const),
  ];
  return said.flatMap(([name, text]) => say(name, text));
}

function sayFinding(
  name: string,
  { verdict, sure, because, figures, next }: MemoryFinding,
): (readonly [string, string])[] {
  const shown = Object.entries(figures).map(([key, value]) => sayFigure(key, value)).join(", ");
  return [
    [name, paint(TONES[verdict] ?? "bad", verdict) + saySure(verdict, sure)],
    ["because", because],
    ["figures", shown],
    ...(next === "nothing" ? [] : [["next", next] as const]),
  ];
}

/** How sure a verdict is; one that says that nothing can be said is not asked. */
function saySure(verdict: MemoryVerdict, sure: number): string {
  return TONES[verdict] === "quiet" ? "" : ` (${Math.round(sure * 100)} % sure)`;
}

/** A line with a name: wrapped in a terminal, on one line elsewhere. */
function say(name: string, text: string): string[] {
  const line = `${name}: ${text}`;
  return isTerminal() ? wrapWords(line, terminalWidth()).split("\n") : [line];
}

function sayFigure(name: string, value: number): string {
  const words = name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return `${words} ${PLAIN.includes(name) ? value : formatBytes(Math.round(value))}`;
}

function share(bytes: number, whole: number): string {
  return `${whole === 0 ? 0 : Math.round(bytes / whole * 100)} %`;
}

function sayTrends(trends: MemoryTrends): string {
  const { seconds, samples, resident, heap, external, allocated } = trends;
  const named = { resident, "JavaScript heap": heap, external, allocated };
  const words = Object.entries(named).flatMap(([name, trend]) =>
    trend === null ? [] : [
      `${name} ${trend.shape}` + (trend.shape === "rising"
        ? ` by ${formatBytes(Math.round(trend.perSecond))}/s (${
          Math.min(99.9, Math.floor(trend.sureOfRise * 1000) / 10)
        } % sure)`
        : ""),
    ]
  );
  return `${samples} times in ${seconds.toFixed(1)} s: ${words.join(", ")}`;
}

function sayPurge(
  { residentBefore, residentAfter, milliseconds, refused }: NonNullable<MemoryReport["purge"]>,
): string {
  if (refused !== null) return `refused: ${refused}`;
  return `${formatBytes(residentBefore - residentAfter)} came back in ${
    milliseconds.toFixed(1)
  } ms: ` +
    `${formatBytes(residentBefore)} were resident, ${formatBytes(residentAfter)} are`;
}
