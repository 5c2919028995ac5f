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
  "held back after a burst": "doubtful",
};

/** Figures that are no bytes. */
const PLAIN: readonly string[] = ["arenas"];

/** Prints where memory is, the verdict, what it rests on, and what to do. */
export function printDiagnosis(report: MemoryReport): void {
  const { resident, parts, trends, purge, also, notSeen } = report;
  print(formatTable(["memory", "bytes", "share"], [
    ...Object.entries(PART_NAMES).map(([name, title]) => {
      const bytes = parts[name as keyof typeof PART_NAMES];
      return bytes === null
        ? [title, "unknown", "–"]
        : [title, signed(bytes), share(bytes, resident)];
    }),
    ["resident", formatBytes(resident), "100 %"],
  ]));
  if (trends !== null) say("watched", sayTrends(trends));
  if (purge !== null) say("purge", sayPurge(purge));
  sayFinding("verdict", report);
  for (const finding of also) sayFinding("also", finding);
  for (const line of notSeen) say("not seen", line);
}

function sayFinding(name: string, { verdict, sure, because, figures, next }: MemoryFinding): void {
  say(name, `${paint(TONES[verdict] ?? "bad", verdict)} (${Math.round(sure * 100)} % sure)`);
  say("because", because);
  say("figures", Object.entries(figures).map(([key, value]) => sayFigure(key, value)).join(", "));
  if (next !== "nothing") say("next", next);
}

/** A line with a name: wrapped in a terminal, whole elsewhere. */
function say(name: string, text: string): void {
  const line = `${name}: ${text}`;
  print(isTerminal() ? wrapWords(line, terminalWidth()) : line);
}

function sayFigure(name: string, value: number): string {
  const words = name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return `${words} ${PLAIN.includes(name) ? value : signed(Math.round(value))}`;
}

function signed(bytes: number): string {
  return bytes < 0 ? `-${formatBytes(-bytes)}` : formatBytes(bytes);
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
          Math.floor(trend.sureOfRise * 1000) / 10
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
  return `${signed(residentBefore - residentAfter)} came back in ${milliseconds.toFixed(1)} ms: ` +
    `${formatBytes(residentBefore)} were resident, ${formatBytes(residentAfter)} are`;
}
