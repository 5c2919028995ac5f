/**
 * The display of a build's steps: a live list on a terminal, else plain lines.
 *
 * @module
 */
import { Listr, type ListrTaskWrapper, type SimpleRenderer } from "listr2";
import type { DefaultRenderer } from "listr2";
import type { BuildProgress, BuildStep, LibraryId } from "./types.ts";

const STEP_TITLES: Readonly<Record<BuildStep, string>> = {
  source: "getting the source",
  unpack: "unpacking",
  compile: "compiling",
  check: "checking the library",
};

/** A display of progress that ends with the build. */
export interface Display extends BuildProgress {
  /** Ends the display: of what is not done yet, as failed when there is an error. */
  end(error?: unknown): Promise<void>;
}

/** What has a row of its own. */
export interface Grouping {
  /** The row's title. */
  readonly title: (unit: LibraryId) => string;
  /** What the row says of a step. */
  readonly text: (unit: LibraryId, step: BuildStep) => string;
  /** Whether a row ends with a library, or with all of a target's. */
  readonly ends: "library" | "target";
}

/** A row for each library of a variant: builds for this machine. */
export const BY_LIBRARY: Grouping = {
  title: ({ name, variant }) => variant === "release" ? name : `${name} ${variant}`,
  text: (_, step) => STEP_TITLES[step],
  ends: "library",
};

/** A row for each target and variant. */
export const BY_TARGET: Grouping = {
  title: ({ target, variant }) => variant === "release" ? target : `${target} ${variant}`,
  text: ({ name }, step) => `${name}: ${STEP_TITLES[step]}`,
  ends: "target",
};

/** Plain lines, one a step. */
export function plainDisplay(by: Grouping, write: (line: string) => void): Display {
  return {
    step: (unit, step) => write(`${by.title(unit)}: ${by.text(unit, step)}`),
    done: (unit) => by.ends === "library" && write(`${by.title(unit)}: done`),
    ended: (unit, error) =>
      by.ends === "target" &&
      write(
        `${by.title({ ...unit, name: "offheap" })}: ${error === undefined ? "done" : "FAILED"}`,
      ),
    note: write,
    end: () => Promise.resolve(),
  };
}

type Task = ListrTaskWrapper<unknown, typeof DefaultRenderer, typeof SimpleRenderer>;

interface Row {
  readonly ended: PromiseWithResolvers<void>;
  text: string;
  task?: Task;
}

/** A list with these rows, by listr2; drawn from the first step on. */
export function liveDisplay(by: Grouping, titles: readonly string[]): Display {
  const rows = new Map<string, Row>(
    titles.map((title) => [title, { ended: Promise.withResolvers<void>(), text: "" }]),
  );
  let drawn: Promise<unknown> | undefined;
  const draw = (): void => {
    const tasks = [...rows].map(([title, row]) => ({
      title,
      task: (_: unknown, task: Task): Promise<void> => {
        row.task = task;
        if (row.text !== "") task.output = row.text;
        return row.ended.promise;
      },
    }));
    // The signals are the build's to handle: it removes what it began.
    const list = new Listr(tasks, {
      concurrent: true,
      exitOnError: false,
      registerSignalListeners: false,
      // The error is printed once, below the list.
      rendererOptions: { showErrorMessage: false },
    });
    drawn = list.run();
  };
  const show = (row: Row | undefined, text: string): void => {
    if (row === undefined) return;
    row.text = text;
    if (drawn === undefined) draw();
    if (row.task !== undefined) row.task.output = text;
  };
  const settle = (row: Row | undefined, error: unknown): void => {
    if (error === undefined) row?.ended.resolve();
    else row?.ended.reject(new Error("not finished"));
    row?.ended.promise.catch(() => {});
  };
  return {
    step: (unit, step) => show(rows.get(by.title(unit)), by.text(unit, step)),
    done: (unit) => by.ends === "library" && settle(rows.get(by.title(unit)), undefined),
    ended: (unit, error) =>
      by.ends === "target" && settle(rows.get(by.title({ ...unit, name: "offheap" })), error),
    note: (text) => show(rows.values().next().value, text),
    async end(error) {
      for (const row of rows.values()) settle(row, error);
      await drawn;
    },
  };
}
