/**
 * Reading a dump of jemalloc's samples, as far as tests of sampling need it.
 *
 * @module
 */
import { readFileSync, rmSync } from "node:fs";
import { askAgent } from "../../lib/watch/agent/client.ts";

/** What one call stack holds. */
export interface DumpedStack {
  /** The return addresses, the innermost first. */
  readonly frames: readonly bigint[];
  /** The sampled bytes that are live. */
  readonly bytes: number;
}

/** A range of code in a runtime's map. */
interface NamedCode {
  readonly start: bigint;
  readonly end: bigint;
  readonly name: string;
}

/** The stacks in a dump's text. */
export function readDump(text: string): DumpedStack[] {
  const stacks = text.matchAll(/^@((?: 0x[0-9a-f]+)*)\n\s+t\*: \d+: (\d+) /gm);
  return [...stacks].map(([, frames = "", bytes]) => ({
    frames: frames.trim().split(" ").filter((frame) => frame !== "").map(BigInt),
    bytes: Number(bytes),
  }));
}

/** Has the agent of a process write a dump, and reads it. */
export async function takeDump(pid: number): Promise<string> {
  const { dump, refused } = await askAgent(pid, "profile dump");
  if (dump === null) throw new Error(`no dump: ${refused}`);
  try {
    return readFileSync(dump, "latin1");
  } finally {
    rmSync(dump, { force: true }); // an end of the process removes it, too
  }
}

function readMap(pid: number): NamedCode[] {
  const lines = readFileSync(`/tmp/perf-${pid}.map`, "utf8").split("\n");
  return lines.flatMap((line) => {
    const [, start, size, name = ""] = /^([0-9a-f]+) ([0-9a-f]+) (.*)$/.exec(line) ?? [];
    if (start === undefined) return [];
    const from = BigInt(`0x${start}`);
    return [{ start: from, end: from + BigInt(`0x${size}`), name }];
  });
}

/** The part of a dump's bytes whose stacks go through a function of JavaScript. */
export function shareThrough(pid: number, stacks: readonly DumpedStack[], name: RegExp): number {
  const code = readMap(pid).filter((each) => name.test(each.name));
  let all = 0, through = 0;
  for (const { frames, bytes } of stacks) {
    all += bytes;
    const passes = frames.some((frame) =>
      code.some(({ start, end }) => frame > start && frame <= end)
    );
    if (passes) through += bytes;
  }
  return through / all;
}
