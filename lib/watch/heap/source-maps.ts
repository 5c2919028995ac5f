/**
 * From generated code to its sources: by the maps that compilers and bundlers write into a file, or
 * beside it. The reader of maps is the runtime's own (`node:module`).
 *
 * @module
 */
import { readFileSync, statSync } from "node:fs";
import { SourceMap, type SourceMapPayload } from "node:module";
import { dirname, resolve } from "node:path";
import { pathOfSource } from "./code-names.ts";

/** A place in a file; lines and columns from 1. */
export interface SourcePlace {
  /** The file. */
  readonly file: string;
  /** The line. */
  readonly line: number;
  /** The column. */
  readonly column: number;
}

/** The last one counts: a bundle may quote others. */
const MARK = /^\/\/[#@] sourceMappingURL=(\S+)\s*$/gm;

const INLINE = /^data:application\/json(?:;charset=[\w-]+)?;base64,(.*)$/s;

/** Larger files are not read for their map. */
const LARGEST_BYTES = 2 ** 27;

interface OpenMap {
  readonly map: SourceMap;
  /** Where its sources are. */
  readonly directory: string;
}

/** The maps of the files of one process, each read once. */
export class SourceMaps {
  readonly #open: (path: string) => string;
  readonly #compiled: string | null;
  readonly #maps = new Map<string, OpenMap | null>();
  /** Files whose map cannot be read, with the reason. */
  readonly faults: Map<string, string> = new Map();

  /**
   * Starts without any.
   *
   * @param open The path by which this process opens a file of the other one.
   * @param compiled Where the runtime keeps what it has made of TypeScript; `null` where lines stay.
   */
  constructor(open: (path: string) => string, compiled: string | null = null) {
    this.#open = open;
    this.#compiled = compiled;
  }

  /** Where a place in generated code comes from; the place itself where no map says. */
  find(place: SourcePlace): SourcePlace {
    const found = this.#mapOf(place.file);
    if (found === null) return place;
    const entry = found.map.findEntry(place.line - 1, Math.max(0, place.column - 1));
    // A map need not say of which source a place is.
    if (!("originalSource" in entry) || entry.originalSource === "") return place;
    const source = pathOfSource(entry.originalSource);
    const file = /^[a-z][\w+.-]+:/.test(source) ? source : resolve(found.directory, source);
    return { file, line: entry.originalLine + 1, column: entry.originalColumn + 1 };
  }

  #mapOf(file: string): OpenMap | null {
    let map = this.#maps.get(file);
    if (map === undefined) {
      map = this.#read(file);
      this.#maps.set(file, map);
    }
    return map;
  }

  #read(file: string): OpenMap | null {
    if (!file.startsWith("/")) return null;
    try {
      const compiled = this.#compiled === null ? null : this.#mapIn(`${this.#compiled}${file}.js`);
      return compiled ?? this.#mapIn(file);
    } catch (error) {
      // A map is any program's: what is wrong with it shows in the readers as errors of any kind.
      this.faults.set(file, error instanceof Error ? error.message : String(error));
      return null;
    }
  }

  #mapIn(file: string): OpenMap | null {
    const path = this.#open(file);
    // What was evaluated may be named after a file that there never was.
    const size = statSync(path, { throwIfNoEntry: false })?.size;
    if (size === undefined || size > LARGEST_BYTES) return null;
    const url = [...readFileSync(path, "utf8").matchAll(MARK)].at(-1)?.[1];
    return url === undefined ? null : this.#parse(file, url);
  }

  #parse(file: string, url: string): OpenMap {
    const inline = INLINE.exec(url)?.[1];
    const path = resolve(dirname(file), decodeURI(url));
    const text = inline === undefined
      ? readFileSync(this.#open(path), "utf8")
      : Buffer.from(inline, "base64").toString();
    // Sources without a name are null, which the runtimes read in three ways.
    const payload: SourceMapPayload = JSON.parse(text, (_key, value) => value ?? "");
    const map = new SourceMap(payload);
    const root = payload.sourceRoot ?? "";
    return { map, directory: resolve(dirname(inline === undefined ? path : file), root) };
  }
}
