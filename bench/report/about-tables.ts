/**
 * Tables of what was measured, and on what.
 *
 * @module
 */
import type { Results } from "../suite/results.ts";
import { short } from "./numbers.ts";
import type { Table } from "./table.ts";

const GIB = 2 ** 30;

/** The machine. */
export function machineTable({ machine, versions }: Results): Table {
  return {
    name: "machine",
    title: "The machine",
    head: ["what", "value"],
    words: 2,
    rows: [
      ["processor", `${machine.processor}, ${machine.cores} cores`],
      ["memory", `${short(machine.memory / GIB)} GiB`],
      ["system", `${machine.system}, Linux ${machine.kernel}, ${machine.libc}`],
      ["transparent huge pages", machine.hugePages],
      ["frequency governor", machine.governor],
      ["virtual machine", machine.virtual ? "yes" : "no"],
      ["load at the start (1, 5, 15 min)", machine.load.join(", ")],
      ["offheap", `${versions.offheap}, commit ${versions.commit ?? "unknown"}`],
      ...Object.entries(versions.runtimes),
    ],
  };
}

/** The subjects, and those left out. */
export function subjectTable({ subjects, missing }: Results): Table {
  return {
    name: "subjects",
    title: "The subjects",
    head: ["subject", "version", "build", "started by", "variables"],
    words: 5,
    rows: [
      ...subjects.map(({ title, version, build, command, variables }) => [
        title,
        version,
        build,
        command,
        Object.entries(variables).map(([name, value]) => `${name}=${value}`).join(" "),
      ]),
      ...missing.map(({ title, reason }) => [title, "", "", `left out: ${reason}`, ""]),
    ],
  };
}

/** The cases. */
export function caseTable({ cases }: Results): Table {
  return {
    name: "cases",
    title: "The cases",
    head: ["case", "counts", "arguments", "rounds", "subjects"],
    words: 3,
    rows: cases.map((info) => [
      info.title,
      info.counts,
      info.arguments.join(" "),
      String(info.rounds),
      String(info.subjects.length),
    ]),
  };
}
