/**
 * What V8 calls pieces of code, as functions.
 *
 * @module
 */
import type { HeapFrame } from "./types.ts";

/** What a name says of a frame. */
export type NamedCode = Omit<HeapFrame, "address">;

/** `JS:`, how it was compiled (interpreted ~, baseline ^, optimised + and *, o in a loop), and what it is. */
const JAVASCRIPT = /^(?:JS|LazyCompile|Function|Script|Eval):(?:o?[~^+*]'?)?(.*)$/s;

/** A place in a file: its name, line and column. */
const PLACE = /^(.*):(\d+):(\d+)$/s;

/** Where the file begins, as names of both may have blanks in them. */
const FILE = /(?:^| )((?:\/|[a-z][\w.+-]*:).*)$/s;

/** Files of the runtimes' own JavaScript. */
const RUNTIME_FILE = /^(?:node|bun|internal|ext|deno|checkin|native|embedder|v8):/;

/** How functions without a name are called. */
const ANONYMOUS = "(anonymous)";

/** offheap's own files, as packages and in a checkout: what its blocks allocate counts for who asked. */
const OWN_FILE = /\/node_modules\/offheap\/|\/@offheap\/offheap\//;

/** The checkout that this file is of, if it is one. */
const OWN_CHECKOUT = /^file:\/\/(.*\/)lib\/watch\/heap\/[^/]+\.ts$/.exec(import.meta.url ?? "")
  ?.[1];

/** Whether a file is of a runtime's own JavaScript, or of offheap's. */
function isRuntimeFile(file: string): boolean {
  if (RUNTIME_FILE.test(file) || OWN_FILE.test(file)) return true;
  return OWN_CHECKOUT !== undefined &&
    ["lib/", "ffi/"].some((folder) => file.startsWith(OWN_CHECKOUT + folder));
}

/** A file's URL as its path; other names stay. */
export function pathOfSource(file: string): string {
  if (!file.startsWith("file://")) return file;
  const path = file.slice("file://".length);
  try {
    return decodeURIComponent(path);
  } catch (error) {
    if (error instanceof URIError) return path;
    throw error;
  }
}

/** A function of JavaScript at a place. */
export function javaScriptFrame(
  name: string,
  file: string,
  line: number,
  column: number,
): NamedCode {
  const path = pathOfSource(file);
  return {
    kind: path === "" || isRuntimeFile(path) ? "runtime" : "javascript",
    name: name === "" ? ANONYMOUS : name,
    file: path === "" ? null : path,
    line,
    column,
  };
}

/** What is not JavaScript of anybody's: V8's builtins, stubs, bytecode handlers, regular expressions. */
function generated(name: string): NamedCode {
  return { kind: "runtime", name, file: null, line: 0, column: 0 };
}

/**
 * Reads a name of the map.
 *
 * @example `JS:*parse file:///srv/app.mjs:12:16` is `parse` in `/srv/app.mjs`, line 12.
 */
export function readCodeName(text: string): NamedCode {
  const described = JAVASCRIPT.exec(text)?.[1];
  const place = described === undefined ? null : PLACE.exec(described);
  if (place === null) return generated(text);
  const [, before = "", line = "", column = ""] = place;
  const file = FILE.exec(before);
  // A file without a directory, as code of node:vm may have, is the last word.
  const cut = file === null ? before.lastIndexOf(" ") + 1 : before.length - (file[1] ?? "").length;
  return javaScriptFrame(
    before.slice(0, cut).trim(),
    before.slice(cut),
    Number(line),
    Number(column),
  );
}
