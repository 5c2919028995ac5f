/**
 * `offheap top`: the processes live in the terminal, by `node:readline`'s keys and a few control
 * sequences. CONTRIBUTING.md, "Dependencies", says why by no library.
 *
 * @module
 */
import { constants } from "node:os";
import process from "node:process";
import { emitKeypressEvents } from "node:readline";
import { setTimeout as wait } from "node:timers/promises";
import { OffheapError, SystemInfoError } from "../errors.ts";
import { formatBytes } from "../units.ts";
import { askAgent } from "../watch/agent/client.ts";
import { examineProcess } from "../watch/doctor/doctor.ts";
import { diagnoseProcess } from "../watch/doctor/memory/diagnose.ts";
import { listProcesses } from "../watch/processes/list.ts";
import { isTerminal, terminalWidth } from "./output.ts";
import { memoryTable, memoryWords } from "./report-diagnosis.ts";
import { drawTop, type Key, pressKey, rowsOf, type TopState } from "./top-screen.ts";

/** How often the list is read. */
const REFRESH_MS = 2000;

/** Control sequences of terminals (ECMA-48, and xterm's alternate screen). */
const SCREEN = {
  enter: "\x1b[?1049h\x1b[?25l",
  leave: "\x1b[?25h\x1b[?1049l",
  home: "\x1b[H",
  endOfLine: "\x1b[K",
  rest: "\x1b[J",
  inverse: "\x1b[7m",
  plain: "\x1b[0m",
} as const;

/** What ends it from outside: the terminal is left as it was. */
const ENDING_SIGNALS = ["SIGHUP", "SIGINT", "SIGTERM"] as const;

/** A terminal's height when it does not report its own. */
const DEFAULT_ROWS = 24;

function draw(state: TopState): void {
  const size = { columns: terminalWidth(), rows: process.stdout.rows || DEFAULT_ROWS };
  const { lines, marked } = drawTop(state, size);
  const text = lines.map((line, index) =>
    index === marked
      ? `${SCREEN.inverse}${line}${SCREEN.endOfLine}${SCREEN.plain}`
      : line + SCREEN.endOfLine
  );
  process.stdout.write(SCREEN.home + text.join("\r\n") + SCREEN.rest);
}

/** Has the agent of the selected process give memory back; what came of it. */
async function purge(pid: number): Promise<string> {
  const { residentBefore, residentAfter, milliseconds, refused } = await askAgent(pid, "purge");
  return refused === null
    ? `process ${pid}: ${formatBytes(Math.max(0, residentBefore - residentAfter))} came back in ` +
      `${milliseconds.toFixed(1)} ms`
    : `process ${pid}: nothing came back: ${refused}`;
}

async function details(pid: number): Promise<string[]> {
  const report = await diagnoseProcess(examineProcess(pid));
  return [`process ${pid}`, ...memoryWords(report), ...memoryTable(report)];
}

/** What an action brings, or why not: a process may have ended, or have no agent. */
async function act(state: TopState, action: "purge" | "details"): Promise<TopState> {
  const pid = state.selected ?? rowsOf(state)[0]?.entry.pid;
  if (pid === undefined) return state;
  try {
    return action === "purge"
      ? { ...state, message: await purge(pid) }
      : { ...state, details: await details(pid) };
  } catch (error) {
    if (!(error instanceof OffheapError)) throw error;
    return { ...state, message: error.message };
  }
}

/** Shows the processes until a key ends it. */
export async function showTop(): Promise<number> {
  if (!isTerminal() || process.stdin.isTTY !== true) {
    throw new SystemInfoError(
      "Cannot show processes live: standard input and output must be a terminal. " +
        "Use `offheap ps` for a list.",
    );
  }
  let state: TopState = {
    list: await listProcesses(),
    selected: null,
    tree: false,
    details: null,
    message: "",
  };
  const keys: Key[] = [];
  let pressed = Promise.withResolvers<void>();
  const onKey = (_: string | undefined, key: Key): void => {
    keys.push(key);
    pressed.resolve();
  };
  const onResize = (): void => draw(state);
  const restore = (): void => {
    process.stdout.write(SCREEN.leave);
    process.stdin.setRawMode(false);
  };
  const onSignal = (name: NodeJS.Signals): void => process.exit(128 + constants.signals[name]);
  emitKeypressEvents(process.stdin);
  process.stdin.setRawMode(true).on("keypress", onKey).resume();
  process.stdout.on("resize", onResize).write(SCREEN.enter);
  process.once("exit", restore);
  for (const name of ENDING_SIGNALS) process.once(name, onSignal);
  try {
    for (;;) {
      draw(state);
      const timer = new AbortController();
      await Promise.race([pressed.promise, wait(REFRESH_MS, null, timer).catch(() => null)]);
      timer.abort();
      if (keys.length === 0) state = { ...state, list: await listProcesses() };
      for (let key = keys.shift(); key !== undefined; key = keys.shift()) {
        const { state: next, action } = pressKey(state, key);
        state = next;
        if (action === "quit") return 0;
        if (action !== null) state = await act(state, action);
      }
      pressed = Promise.withResolvers();
    }
  } finally {
    process.off("exit", restore);
    for (const name of ENDING_SIGNALS) process.off(name, onSignal);
    process.stdout.off("resize", onResize);
    restore();
    process.stdin.off("keypress", onKey).pause();
  }
}
