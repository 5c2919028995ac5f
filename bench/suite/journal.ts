/**
 * The journal of a suite's run: a line for each finished run, written at once, so that a run that
 * was interrupted goes on where it stopped. The first line says what plan the runs are of.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { z } from "zod";
import { differences, type PlanKey, type Step, stepName } from "./plan.ts";
import { MODES, Run } from "./results.ts";

/** The journal's file, beside the results. */
export const JOURNAL_FILE = "runs.jsonl";

const Header = z.object({
  journal: z.literal(1),
  started: z.string(),
  key: z.object({
    mode: z.enum(MODES),
    offheap: z.string(),
    seed: z.number(),
    cases: z.record(z.string(), z.string()),
    subjects: z.record(z.string(), z.string()),
  }),
});

/** Finished runs, and where more are added. */
export interface Journal {
  /** When the first start was, in ISO 8601. */
  readonly started: string;
  readonly runs: readonly Run[];
  /** What had to be said about the file. */
  readonly notes: readonly string[];
  has(step: Step): boolean;
  add(run: Run): void;
}

/** How a journal is opened. */
export interface JournalOptions {
  readonly key: PlanKey;
  /** Whether to start over, whatever is there. */
  readonly fresh: boolean;
}

interface Lines {
  readonly whole: readonly string[];
  /** How many bytes they take. */
  readonly bytes: number;
  /** What follows the last line feed. */
  readonly rest: string;
}

function linesOf(path: string): Lines {
  const text = readFileSync(path, "utf8");
  const end = text.lastIndexOf("\n") + 1;
  const whole = text.slice(0, end);
  return {
    whole: whole.split("\n").slice(0, -1),
    bytes: Buffer.byteLength(whole),
    rest: text.slice(end),
  };
}

function parseLine<T>(schema: z.ZodType<T>, line: string, where: string): T {
  let data: unknown;
  try {
    data = JSON.parse(line);
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    throw new Error(`Cannot go on: ${where} is no JSON (${said}); --fresh starts over`);
  }
  const parsed = schema.safeParse(data);
  if (parsed.success) return parsed.data;
  throw new Error(
    `Cannot go on: ${where} is not what the suite writes; --fresh starts over\n` +
      z.prettifyError(parsed.error),
  );
}

function requireSamePlan(found: PlanKey, wanted: PlanKey, path: string): void {
  const parts = differences(found, wanted);
  if (parts.length === 0) return;
  throw new Error(
    `Cannot go on: the runs in ${path} are of another plan, which differs in ` +
      `${parts.join(", ")}; give the same options again, another --out, or --fresh to start over`,
  );
}

/**
 * Opens a journal. A line that a crash truncated at its end is removed, and the notes say so: that run is
 * done again.
 *
 * @throws {Error} when it is of another plan, or damaged elsewhere than at its end.
 */
export function openJournal(path: string, { key, fresh }: JournalOptions): Journal {
  const runs: Run[] = [];
  const notes: string[] = [];
  const existing = !fresh && existsSync(path) ? linesOf(path) : null;
  const [first, ...lines] = existing?.whole ?? [];
  let started = new Date().toISOString();
  if (existing !== null && existing.rest !== "") {
    truncateSync(path, existing.bytes);
    notes.push(
      `The last line of ${path} was truncated (${existing.rest.length} characters); ` +
        "that run is done again",
    );
  }
  if (first === undefined) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `${JSON.stringify({ journal: 1, started, key })}\n`);
  } else {
    const header = parseLine(Header, first, `line 1 of ${path}`);
    requireSamePlan(header.key, key, path);
    started = header.started;
    runs.push(...lines.map((line, i) => parseLine(Run, line, `line ${i + 2} of ${path}`)));
  }
  const done = new Set(runs.map(stepName));
  return {
    started,
    runs,
    notes,
    has: (step) => done.has(stepName(step)),
    add(run) {
      appendFileSync(path, `${JSON.stringify(run)}\n`);
      runs.push(run);
      done.add(stepName(run));
    },
  };
}
