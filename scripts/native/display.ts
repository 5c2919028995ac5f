/**
 * The display of a build's steps: a live list on a terminal, else plain lines.
 *
 * @module
 */
import { Listr, type ListrTaskWrapper, type SimpleRenderer } from "listr2";
import type { DefaultRenderer } from "listr2";
import type { LibraryName } from "../../lib/library/manifest.ts";
import type { BuildProgress, BuildStep } from "./types.ts";

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

/** Plain lines, one a step. */
export function plainDisplay(write: (line: string) => void): Display {
  return {
    step: (library, step) => write(`${library}: ${STEP_TITLES[step]}`),
    done: (result) => write(`${result.name}: done`),
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

/** A list with a row for each library, by listr2; drawn from the first step on. */
export function liveDisplay(libraries: readonly LibraryName[]): Display {
  const rows = new Map<LibraryName, Row>(
    libraries.map((name) => [name, { ended: Promise.withResolvers<void>(), text: "" }]),
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
  return {
    step: (library, step) => show(rows.get(library), STEP_TITLES[step]),
    done: (result) => rows.get(result.name)?.ended.resolve(),
    note: (text) => show(rows.values().next().value, text),
    async end(error) {
      for (const row of rows.values()) {
        if (error === undefined) row.ended.resolve();
        else row.ended.reject(new Error("not finished"));
        row.ended.promise.catch(() => {});
      }
      await drawn;
    },
  };
}
