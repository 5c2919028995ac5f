/**
 * The same leak as each tool sees it: heaptrack, jemalloc's own profile, V8's, and offheap's. Which of
 * them names the line is a table of the guide.
 *
 *     npm run bench:heap-tools -- [--write]
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { assembleProfile, lookAtProcess } from "../lib/watch/heap/assemble.ts";
import { readDump } from "../lib/watch/heap/dump.ts";
import { functionTable } from "../lib/watch/heap/table.ts";
import { takeHeapProfile } from "../lib/watch/heap/take.ts";
import type { HeapProfile } from "../lib/watch/heap/types.ts";
import { cleanEnvironment } from "../tools/environment.ts";
import { layoutTable } from "../tools/markdown-table.ts";
import { withPart } from "../tools/marked-text.ts";
import { builtLibrary, CLI, ROOT } from "../tools/paths.ts";
import { startUntil } from "../tools/processes.ts";
import { findRuntimes, parseRuntimeNames } from "../tools/runtimes.ts";

const GUIDE = join(ROOT, "docs", "user-guide", "heap-profiles.md");
const PROGRAM = join(ROOT, "bench", "heap-tools", "leak.mjs");
const JEMALLOC = builtLibrary("jemalloc", "preload");
const LEAK = "rememberRequest";
const LEAKED_MIB = 100;
const MIB = 2 ** 20;

const { write = false } = new Command("npm run bench:heap-tools --")
  .description("shows which tools name the line of JavaScript that holds native memory")
  .option("--write", "write the table into the guide")
  .parse().opts<{ readonly write?: boolean }>();

/** What a tool says of the leak. */
interface Seen {
  readonly tool: string;
  /** How many of the MiB it has seen; `null` where it cannot be had. */
  readonly mib: number | null;
  /** What it names for them. */
  readonly names: string;
  /** Whether that is the function with its file and line. */
  readonly line: boolean;
}

const { found: [runtime], missing } = await findRuntimes(parseRuntimeNames(["node26"]));
if (runtime === undefined) throw new Error(missing.map(({ reason }) => reason).join());
const NODE = runtime.binary;
const directory = mkdtempSync(join(tmpdir(), "offheap-heap-tools-"));

/** Starts the program, waits until it has leaked, looks at it, and ends it. */
async function whileLeaking<R>(
  command: readonly string[],
  variables: Readonly<Record<string, string>>,
  look: (pid: number) => Promise<R>,
): Promise<R> {
  const { found: pid, child, ended } = await startUntil(
    command,
    { env: cleanEnvironment(NODE, variables), stdio: ["pipe", "pipe", "inherit"] },
    (text) => /^leaked (\d+) /m.exec(text)?.[1],
  );
  try {
    return await look(Number(pid));
  } finally {
    child.stdin?.end();
    await ended;
  }
}

/** What offheap's own reading of a profile has below JavaScript, or else of native functions. */
function seenBy(tool: string, profile: HeapProfile): Seen {
  const [first] = functionTable(profile);
  const line = first?.name.startsWith(`${LEAK} `) === true;
  const [native] = functionTable(profile, { runtime: true })
    .filter(({ name, totalShare }) => totalShare > 0.8 && /ArrayBuffer|Buffer::/.test(name));
  return {
    tool,
    mib: (first?.own ?? 0) / MIB,
    names: line
      ? first?.name ?? ""
      : (native?.name ?? first?.name ?? "nothing").replace("[runtime] ", ""),
    line,
  };
}

async function offheap(): Promise<Seen> {
  const command = [
    NODE,
    "--no-warnings",
    CLI,
    "run",
    "--heap-profiling",
    "--active",
    "--",
    NODE,
    PROGRAM,
  ];
  return await whileLeaking(
    command,
    {},
    async (pid) => seenBy("offheap", await takeHeapProfile(pid)),
  );
}

/** With V8's map of its code, as for offheap: it is the stacks that end. */
async function jemalloc(): Promise<Seen> {
  const prefix = join(directory, "jeprof");
  const variables = {
    LD_PRELOAD: JEMALLOC,
    MALLOC_CONF:
      `prof:true,prof_active:true,lg_prof_sample:19,lg_prof_interval:25,prof_prefix:${prefix}`,
  };
  const flags = ["--perf-basic-prof", "--interpreted-frames-native-stack", "--logfile=/dev/null"];
  return await whileLeaking([NODE, ...flags, PROGRAM], variables, async (pid) => {
    const dumps = readdirSync(directory).filter((name) => name.startsWith("jeprof"))
      .sort((a, b) => Number(a.split(".").at(-3)) - Number(b.split(".").at(-3)));
    const last = join(directory, dumps.at(-1) ?? "");
    const files = lookAtProcess({ directory: `/proc/${pid}`, ownPid: pid });
    const dump = readDump(readFileSync(last, "latin1"), last);
    const profile = await assembleProfile(dump, files, { pid, at: Date.now() });
    rmSync(`/tmp/perf-${pid}.map`, { force: true });
    return seenBy("jemalloc's own profile", profile);
  });
}

interface ProfileNode {
  readonly callFrame: {
    readonly functionName: string;
    readonly url: string;
    readonly lineNumber: number;
  };
  readonly selfSize: number;
  readonly children: readonly ProfileNode[];
}

function bytesOf({ selfSize, children }: ProfileNode): number {
  return children.reduce((sum, child) => sum + bytesOf(child), selfSize);
}

function findNode(node: ProfileNode, name: string): ProfileNode | null {
  if (node.callFrame.functionName === name) return node;
  return node.children.map((child) => findNode(child, name)).find((each) => each !== null) ?? null;
}

async function v8(): Promise<Seen> {
  const flags = ["--heap-prof", `--heap-prof-dir=${directory}`];
  await whileLeaking([NODE, ...flags, PROGRAM], {}, () => Promise.resolve());
  const file = readdirSync(directory).find((name) => name.endsWith(".heapprofile")) ?? "";
  const { head }: { head: ProfileNode } = JSON.parse(readFileSync(join(directory, file), "utf8"));
  const node = findNode(head, LEAK);
  const mib = node === null ? 0 : bytesOf(node) / MIB;
  return { tool: "V8's heap profile", mib, names: mib < 1 ? "objects only" : LEAK, line: mib > 50 };
}

async function heaptrack(): Promise<Seen> {
  const tool = "heaptrack";
  try {
    execFileSync("heaptrack", ["--version"], { stdio: "ignore" });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    return { tool, mib: null, names: "it is not installed here", line: false };
  }
  const output = join(directory, "heaptrack");
  await whileLeaking(["heaptrack", "-o", output, NODE, PROGRAM], {}, () => Promise.resolve());
  const file = readdirSync(directory).find((name) => name.startsWith("heaptrack.")) ?? "";
  const text = execFileSync("heaptrack_print", [
    "-a",
    "0",
    "-T",
    "0",
    "-l",
    "0",
    join(directory, file),
  ], {
    encoding: "utf8",
    maxBuffer: 2 ** 30,
  });
  const peak = text.slice(text.indexOf("PEAK MEMORY CONSUMERS"));
  const [, size = "0", unit = ""] = /^([\d.]+)([KMG])B? peak memory consumed/m.exec(peak) ?? [];
  const first = peak.slice(peak.indexOf("peak memory consumed")).split("\n\n")[0] ?? "";
  const name = /node::\S*(?:Buffer|Allocator)\S*/.exec(first)?.[0] ?? "native functions";
  const factor = { K: 1000, M: 1e6, G: 1e9 }[unit] ?? 1;
  return {
    tool,
    mib: Number(size) * factor / MIB,
    names: name.replace(/\(.*/, ""),
    line: text.includes(LEAK),
  };
}

try {
  const rows: Seen[] = [];
  for (const measure of [heaptrack, jemalloc, v8, offheap]) rows.push(await measure());
  const table = layoutTable(
    ["tool", `of ${LEAKED_MIB} MiB it attributes`, "to", "names the line"],
    rows.map(({ tool, mib, names, line }) => [
      tool,
      mib === null ? "–" : `${mib.toFixed(0)} MiB`,
      names.includes("::") || names.includes(":") ? `\`${names}\`` : names,
      line ? "yes" : "no",
    ]),
  );
  console.log(table);
  if (write) writeFileSync(GUIDE, withPart(readFileSync(GUIDE, "utf8"), "heap-tools", table));
} finally {
  rmSync(directory, { recursive: true, force: true });
}
