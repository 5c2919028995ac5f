/**
 * A directory with the latest profiles of a process.
 *
 * @module
 */
import { readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeDirectories } from "../../system/files.ts";

/** The profiles of one process. */
export interface KeptProfiles {
  /** The directory; it is made where it is missing. */
  readonly directory: string;
  /** How many of the process's are kept; the oldest go. */
  readonly keep: number;
}

/** Names begin with the process, and sort by time. */
function nameOf(pid: number, at: number): string {
  return `heap-${pid}-${new Date(at).toISOString().replaceAll(":", "-")}.pb.gz`;
}

/** Writes a profile beside the others, and removes what is too many; its path. */
export function keepProfile(
  { directory, keep }: KeptProfiles,
  { pid, at }: { readonly pid: number; readonly at: number },
  bytes: Uint8Array,
): string {
  makeDirectories(directory);
  const path = join(directory, nameOf(pid, at));
  // Whoever looks for profiles sees complete ones.
  writeFileSync(`${path}.part`, bytes, { mode: 0o600 });
  renameSync(`${path}.part`, path);
  const own = readdirSync(directory)
    .filter((name) => name.startsWith(`heap-${pid}-`) && name.endsWith(".pb.gz")).sort();
  for (const name of own.slice(0, -keep)) rmSync(join(directory, name), { force: true });
  return path;
}

/** Notices growth: of so many bytes over the least that there was since it began. */
export class GrowthGauge {
  readonly #growth: number;
  #least: number;

  /** Starts at what there is. */
  constructor(growth: number, resident: number) {
    this.#growth = growth;
    this.#least = resident;
  }

  /** Whether memory has grown as much. */
  hasGrown(resident: number): boolean {
    this.#least = Math.min(this.#least, resident);
    return resident - this.#least >= this.#growth;
  }

  /** Begins again, at what there was when a profile was taken: what came before is in it. */
  restart(resident: number): void {
    this.#least = resident;
  }
}
