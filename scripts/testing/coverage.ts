/**
 * Which lines of the sources run, by V8's own counts: of each process that a test started, too.
 *
 * @module
 */
import { globSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { ROOT } from "../../tools/paths.ts";

/** The folders whose lines are counted. */
const FOLDERS: readonly string[] = ["ffi", "lib"];

/** A file that V8 writes when a process with `NODE_V8_COVERAGE` ends. */
interface V8Report {
  readonly result: readonly {
    readonly url: string;
    readonly functions: readonly { readonly ranges: readonly Range[] }[];
  }[];
}

interface Range {
  readonly startOffset: number;
  readonly endOffset: number;
  readonly count: number;
}

/** Lines of one file or of several. */
export interface Lines {
  readonly total: number;
  readonly covered: number;
}

/** What has run so far. Types are blanked out, not removed: V8's offsets are those of the sources. */
export class Coverage {
  readonly #root = pathToFileURL(ROOT).href;
  /** For each file, a 1 at each character that ran. */
  readonly #ran = new Map<string, Uint8Array>();

  /** Adds what the processes wrote into a directory, and empties it. */
  add(directory: string): void {
    for (const name of readdirSync(directory)) {
      const path = join(directory, name);
      const report = readReport(path);
      for (const { url, functions } of report?.result ?? []) {
        const file = url.startsWith(this.#root) ? url.slice(this.#root.length) : "";
        if (FOLDERS.includes(file.split("/", 1)[0] ?? "")) this.#paint(file, functions);
      }
      rmSync(path);
    }
  }

  #paint(file: string, functions: V8Report["result"][number]["functions"]): void {
    const size = readFileSync(fileURLToPath(new URL(file, this.#root)), "utf8").length;
    const ran = this.#ran.get(file) ?? new Uint8Array(size);
    this.#ran.set(file, ran);
    const here = new Uint8Array(size);
    // An inner range comes after those that it is in.
    const ranges = functions.flatMap(({ ranges }) => ranges)
      .sort((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset);
    for (const { startOffset, endOffset, count } of ranges) {
      here.fill(count > 0 ? 1 : 0, startOffset, endOffset);
    }
    for (const [index, value] of here.entries()) if (value === 1) ran[index] = 1;
  }

  /** The lines of each file of the folders; those that no process loaded have run in none. */
  files(): Map<string, Lines> {
    const names = FOLDERS.flatMap((folder) => globSync(`${folder}/**/*.ts`, { cwd: ROOT })).sort();
    return new Map(names.map((name) => {
      const text = readFileSync(join(ROOT, name), "utf8");
      return [name, linesOf(text, this.#ran.get(name.replaceAll("\\", "/")))];
    }));
  }
}

/** A report; `null` for one that a process was killed in. */
function readReport(path: string): V8Report | null {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** Lines without anything that runs: blank ones, comments, types, closing brackets. */
const NOTHING =
  /^(?:$|\/\/|\/?\*|(?:export )?(?:type|interface) |import |[\])};,]+$|readonly \w+\??:)/;

/** Counts the lines of a text that have code, and those whose code ran. */
function linesOf(text: string, ran: Uint8Array | undefined): Lines {
  let offset = 0;
  let total = 0;
  let covered = 0;
  for (const line of text.split("\n")) {
    const code = line.trim();
    if (!NOTHING.test(code)) {
      total++;
      if (ran?.[offset + line.indexOf(code)] === 1) covered++;
    }
    offset += line.length + 1;
  }
  return { total, covered };
}
