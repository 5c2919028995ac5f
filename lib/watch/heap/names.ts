/**
 * Frames in words.
 *
 * @module
 */
import { basename } from "node:path";
import type { HeapFrame } from "./types.ts";

/** How functions of the runtime's begin, so that they can be hidden: `go tool pprof -hide '^\[runtime\]'`. */
const RUNTIME_MARK = "[runtime]";

/** The part of a path that is worth reading: packages by their names, files with their directory. */
function shortPath(path: string): string {
  const [, inPackage] = /^.*\/(node_modules\/.+)$/.exec(path) ?? [];
  return inPackage ?? path.split("/").slice(-2).join("/").replace(/^\//, "");
}

/** A function with its place: `parse lib/parser.ts:12`; of native code with its library. */
export function functionName({ kind, name, file, line }: HeapFrame): string {
  if (kind === "native") return `${name} ${basename(file ?? "")}`;
  const place = file === null || line === 0 ? "" : ` ${shortPath(file)}:${line}`;
  return kind === "runtime" ? `${RUNTIME_MARK} ${name}${place}` : `${name}${place}`;
}

/** What makes two frames the same function, whatever their addresses are. */
export function functionKey({ kind, name, file, line, column }: HeapFrame): string {
  return `${kind}\0${name}\0${file ?? ""}\0${line}\0${column}`;
}
