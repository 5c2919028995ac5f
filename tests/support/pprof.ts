/**
 * Go's pprof, which reads the profiles that offheap writes: the system's own, or Debian's, unpacked below
 * `build/debian`.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { globSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { debianRoot } from "../../tools/packages/debian.ts";
import { IS_MUSL } from "./libc.ts";

/** Where Go's packages have it; the newest comes last. */
const PLACES = ["usr/lib/go-*/pkg/tool/*/pprof", "usr/local/go/pkg/tool/*/pprof"];

function findIn(root: string): string | undefined {
  return PLACES.flatMap((place) => globSync(join(root, place))).sort().at(-1);
}

/** The program's path; or why it cannot be had. */
export function findPprof(): { readonly path: string } | string {
  const own = findIn("/");
  if (own !== undefined) return { path: own };
  if (process.platform !== "linux" || IS_MUSL) return "Debian's Go is made for glibc on Linux";
  try {
    const path = findIn(debianRoot(["golang-go"], { dependencies: true }));
    return path === undefined ? "Debian's golang-go has no pprof" : { path };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** A function in the output of `pprof -top`. */
export interface TopRow {
  /** Its name. */
  readonly name: string;
  /** The part of all bytes that it has itself, in percent. */
  readonly flat: number;
  /** The part that it has with what it calls, in percent. */
  readonly cumulative: number;
}

const ROW = /^\s*\S+\s+([\d.]+)%\s+[\d.]+%\s+\S+\s+([\d.]+)%\s+(.+)$/;

/** What `pprof -top` says of a profile. */
export function pprofTop(pprof: string, file: string, ...options: string[]): TopRow[] {
  const words = ["-top", "-cum", "-nodecount=1000", "-nodefraction=0", "-symbolize=none"];
  const text = execFileSync(pprof, [...words, ...options, file], { encoding: "utf8" });
  return text.split("\n").flatMap((line) => {
    const [, flat, cumulative, name] = ROW.exec(line) ?? [];
    return name === undefined ? [] : [{ name, flat: Number(flat), cumulative: Number(cumulative) }];
  });
}
