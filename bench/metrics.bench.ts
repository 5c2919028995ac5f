/**
 * What metrics cost: a scrape of a program's own in each runtime, whose limit is a thousandth of a processor
 * at one a second, and a scrape of the exporter by the number of processes, whose agents are simulated:
 * `npm run bench:metrics`.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { formatBytes } from "../lib/units.ts";
import { libraryFileName } from "../lib/library/directories.ts";
import { layoutTable } from "../tools/markdown-table.ts";
import { howItEnded, runToEnd, startUntil } from "../tools/processes.ts";
import { CLI } from "../tools/paths.ts";
import { findRuntimes, parseRuntimeNames, type Runtime } from "../tools/runtimes.ts";

/** A thousandth of a processor, of a second. */
const LIMIT_MICROSECONDS = 1000;
const PROGRAM = fileURLToPath(new URL("./metrics/program.ts", import.meta.url));
const CROWD = fileURLToPath(new URL("./metrics/crowd.c", import.meta.url));

const { runtime: names, processes: counts } = new Command("npm run bench:metrics --")
  .description("Measures scrapes of programs and of offheap serve.")
  .option("--runtime <names...>", "deno, bun, node26, node22; all without it", [])
  .option("--processes <counts...>", "how many the exporter looks at", ["10", "100", "1000"])
  .parse().opts<{ runtime: string[]; processes: string[] }>();

const { found, missing } = await findRuntimes(parseRuntimeNames(names));
for (const { spec, reason } of missing) console.error(`${spec.title} was not found: ${reason}`);

/** Microseconds of a scrape: of offheap's metrics, and of prom-client's default ones. */
interface ScrapeCost {
  readonly own: number;
  readonly default: number;
}

interface ProgramCost {
  /** In the first minute, and after many scrapes. */
  readonly microseconds: Readonly<Record<"first" | "later", ScrapeCost>>;
  readonly series: number;
}

async function measureProgram({ spec, binary }: Runtime): Promise<ProgramCost> {
  const run = [binary, ...spec.run, CLI, "run", "-a", "jemalloc", "--"];
  const ending = await runToEnd([...run, binary, ...spec.run, PROGRAM], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (ending.status !== 0) {
    throw new Error(`Cannot measure in ${spec.title}: it ${howItEnded(ending)}`);
  }
  return JSON.parse(ending.stdout);
}

const rows: string[][] = [];
for (const runtime of found) {
  const { microseconds: { first, later }, series } = await measureProgram(runtime);
  const { title } = runtime.spec;
  rows.push([
    title,
    String(series),
    ...[first, later].flatMap((cost) => [cost.own.toFixed(0), cost.default.toFixed(0)]),
    `${(later.own / 10_000).toFixed(3)} %`,
  ]);
  if (later.own <= LIMIT_MICROSECONDS) continue;
  console.error(`Above its limit of ${LIMIT_MICROSECONDS} µs: a scrape in ${title}`);
  process.exitCode = 1;
}
console.log("A program's own metrics, under jemalloc: processor time of a scrape, one a second\n");
console.log(layoutTable(
  [
    "runtime",
    "series",
    "µs in the first minute",
    "prom-client's default",
    "µs after 900 scrapes",
    "prom-client's default",
    "of a core, at one a second",
  ],
  rows,
));

/** Processes that look like launched ones, until the work is done. */
async function withCrowd<R>(count: number, work: (pids: number[]) => Promise<R>): Promise<R> {
  const directory = mkdtempSync(join(tmpdir(), "offheap-crowd-"));
  const program = join(directory, "crowd");
  const shim = join(directory, libraryFileName("offheap", "linux"));
  mkdirSync(join(directory, "sockets"), { mode: 0o700 });
  writeFileSync(shim, new Uint8Array(4096));
  execFileSync("cc", ["-O2", "-pthread", "-o", program, CROWD]);
  const { child, pid, ended } = await startUntil(
    [program, String(count), join(directory, "sockets"), shim],
    { stdio: ["pipe", "pipe", "inherit"] },
    (text) => text,
  );
  try {
    const path = `/proc/${pid}/task/${pid}/children`;
    return await work(readFileSync(path, "utf8").trim().split(" ").map(Number));
  } finally {
    child.stdin?.end();
    await ended;
    rmSync(directory, { recursive: true, force: true });
  }
}

/** What the kernel says of a process: processor time in milliseconds, and resident memory in bytes. */
function usageOf(pid: number): { readonly milliseconds: number; readonly resident: number } {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  const resident = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return {
    milliseconds: 10 * (Number(fields[11]) + Number(fields[12])),
    resident: 1024 * Number(resident),
  };
}

const SCRAPES = 20;

async function measureExporter(
  { binary, spec }: Runtime,
  pids: readonly number[],
): Promise<string[]> {
  const words = [
    "serve",
    "--metrics-only",
    "--listen",
    "127.0.0.1:0",
    "--pid",
    ...pids.map(String),
  ];
  const { found: url, pid, end } = await startUntil(
    [binary, ...spec.run, CLI, ...words],
    {},
    (text) => /^metrics: (\S+)\n/.exec(text)?.[1],
  );
  try {
    const scrape = async (): Promise<string> => await (await fetch(url)).text();
    for (let warm = 0; warm < 5; warm++) await scrape();
    const before = usageOf(pid);
    const times: number[] = [];
    let text = "";
    for (let count = 0; count < SCRAPES; count++) {
      const start = performance.now();
      text = await scrape();
      times.push(performance.now() - start);
    }
    const after = usageOf(pid);
    const series = text.split("\n").filter((each) => each !== "" && !each.startsWith("#")).length;
    const processor = (after.milliseconds - before.milliseconds) / SCRAPES;
    return [
      String(pids.length),
      String(series),
      (series / pids.length).toFixed(1),
      formatBytes(text.length),
      `${times.sort((a, b) => a - b)[SCRAPES / 2]?.toFixed(0)} ms`,
      `${processor.toFixed(0)} ms`,
      `${(processor / 150).toFixed(2)} %`,
      formatBytes(after.resident),
    ];
  } finally {
    await end("SIGTERM");
  }
}

const exporter = found.find(({ spec }) => spec.name === "node26");
if (process.platform === "linux" && exporter !== undefined && counts.length > 0) {
  const table: string[][] = [];
  for (const count of counts.map(Number)) {
    table.push(await withCrowd(count, (pids) => measureExporter(exporter, pids)));
  }
  console.log("\noffheap serve in Node 26, whose processes' agents are simulated\n");
  console.log(layoutTable(
    [
      "processes",
      "series",
      "a process",
      "text",
      "a scrape takes",
      "processor time",
      "of a core, each 15 s",
      "its own memory",
    ],
    table,
  ));
}
