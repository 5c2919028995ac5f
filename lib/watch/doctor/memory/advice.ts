/**
 * What to do about a verdict, and what to type.
 *
 * @module
 */
import { findAllocator } from "../../../allocators/mod.ts";
import type { AdvisedSettings } from "../../../allocators/types.ts";
import type { Observation } from "./observation.ts";
import type { MemoryFacts, MemoryVerdict, Patient } from "./types.ts";

interface AdviceFacts extends MemoryFacts {
  readonly last: Observation;
}

type Advice = (facts: AdviceFacts) => string;

/** Ways to see what holds the JavaScript heap. */
const HEAP_SNAPSHOTS: Readonly<Record<NonNullable<Patient["runtime"]>, (pid: string) => string>> = {
  node: (pid) =>
    "start it with `node --heapsnapshot-signal=SIGUSR2`, take two snapshots by " +
    `\`kill -USR2 ${pid}\`, and compare them in a browser's developer tools`,
  deno: () =>
    "start it with `deno run --inspect`, take two heap snapshots at chrome://inspect, and compare them",
  bun: () =>
    'have the program write two snapshots by `Bun.generateHeapSnapshot("v8")`, and compare them in a ' +
    "browser's developer tools",
};

function advisedSettings({ last }: AdviceFacts): AdvisedSettings {
  return findAllocator(last.allocator.name)?.advised ?? {};
}

function isLibcs({ last }: AdviceFacts): boolean {
  return findAllocator(last.allocator.name)?.library === null;
}

function purgeCommand({ patient }: AdviceFacts): string {
  return patient.pid === null
    ? "`purgeProcess()` brings it back"
    : `\`offheap doctor ${patient.pid} --try purge\` brings it back`;
}

const ADVICE: Readonly<Partial<Record<MemoryVerdict, Advice>>> = {
  "held back after a burst": (facts) =>
    (facts.purged === null ? `${purgeCommand(facts)}; ` : "it comes again with the next burst; ") +
    (isLibcs(facts)
      ? `\`offheap run -- ${facts.patient.command}\` gives it back whenever the program rests`
      : `\`offheap run --profile low-memory -- ${facts.patient.command}\` keeps less`),
  fragmentation: (facts) =>
    isLibcs(facts)
      ? `\`offheap run -- ${facts.patient.command}\` runs it under an allocator that keeps sizes apart`
      : "find what keeps small blocks for long among many short-lived ones, such as a cache that is " +
        "filled while requests are served; a restart brings it back",
  "native growth": (facts) =>
    typeof facts.last.javascript.external === "number" || facts.patient.pid === null
      ? "a native add-on or library does not free what it takes: where the program uses offheap's " +
        'blocks, `openAllocator({ leaks: "sampled" })` names the lines'
      : `\`offheap doctor ${facts.patient.pid} --watch 60s --attach\` sees JavaScript's part, too`,
  "JavaScript heap growth": (facts) => {
    const { runtime, pid } = facts.patient;
    return runtime === null
      ? "compare two snapshots of its heap"
      : HEAP_SNAPSHOTS[runtime](pid === null ? "PID" : String(pid));
  },
  "huge pages": (facts) => {
    const { noHugePages } = advisedSettings(facts);
    return "`echo madvise > /sys/kernel/mm/transparent_hugepage/enabled` has the system give them only " +
      "where they are asked for; where it says so already, the program or a library asks" +
      (noHugePages === undefined
        ? ""
        : `. \`${noHugePages} ${facts.patient.command}\` keeps the allocator from them`);
  },
  "thread arenas": (facts) => {
    const { fewArenas } = advisedSettings(facts);
    return fewArenas === undefined
      ? purgeCommand(facts)
      : `\`${fewArenas} ${facts.patient.command}\` has threads share arenas`;
  },
};

/** What to do about a verdict. */
export function adviceFor(verdict: MemoryVerdict, facts: AdviceFacts): string {
  return ADVICE[verdict]?.(facts) ?? "nothing";
}
