/**
 * Examining a process: gathering the evidence and judging it.
 *
 * @module
 */
import { advise } from "./advice.ts";
import {
  bindingEvidence,
  claimEvidence,
  entryEvidence,
  forwardingEvidence,
  mappingEvidence,
  searchEvidence,
} from "./checks.ts";
import { type Facts, findExecutable, gatherFacts, withMemory } from "./facts.ts";
import { claimOf, type LoadedObject } from "./objects.ts";
import { examineEnvironment, findLost } from "./preload.ts";
import type { ProcessSource } from "./process-source.ts";
import type { DoctorEvidence, ExaminedAllocator, ProcessReport } from "./types.ts";

/**
 * Examines a process.
 *
 * @throws {DoctorError} when it ends meanwhile, is no program, or this user may not examine it.
 */
export function examine(source: ProcessSource): ProcessReport {
  return withMemory(source, (memory) => {
    const found = report(source, gatherFacts(source, memory));
    findExecutable(source); // what could not be read of a process that was ending is no finding
    return found;
  });
}

function report(source: ProcessSource, facts: Facts): ProcessReport {
  const server = facts.isStatic ? null : findServer(facts);
  const context = { ...facts, server };
  const about = [
    searchEvidence(facts, server),
    claimEvidence(facts, server),
    ...entryEvidence(facts, server),
    ...bindingEvidence(facts, server),
    ...forwardingEvidence(facts, server),
  ];
  const allocator = facts.isStatic ? "static" : judge(server, about);
  const evidence = [mappingEvidence(facts, server), ...examineEnvironment(context), ...about];
  const bound = about.some(({ check, outcome }) => check === "binding" && outcome === "pass");
  const lost = findLost(context);
  const children = source.children();
  return {
    pid: source.pid,
    command: facts.command,
    executable: facts.executable,
    ...(facts.state === undefined ? {} : { state: facts.state }),
    preload: facts.preload,
    allocator,
    verified: bound && allocator !== "unknown",
    object: facts.isStatic ? facts.executable : server?.path ?? null,
    evidence,
    advice: advise({ facts, server, allocator, lost, evidence, children }),
  };
}

/** Where calls lead, when they all lead to one place; else what the dynamic linker finds first. */
function findServer({ objects, calls }: Facts): LoadedObject | null {
  const bound = typeof calls === "string"
    ? []
    : calls.bindings.filter(({ state, symbol }) => state === "bound" && symbol === "malloc")
      .map(({ leadsTo }) => leadsTo);
  const [place, ...others] = new Set(bound);
  return place !== undefined && others.length === 0
    ? objects.find(({ path }) => path === place) ?? null
    : objects.find(({ exports }) => exports.has("malloc")) ?? null;
}

/** What the object claims to be, unless something speaks against it. */
function judge(
  server: LoadedObject | null,
  evidence: readonly DoctorEvidence[],
): ExaminedAllocator {
  if (server === null || evidence.some(({ outcome }) => outcome === "fail")) return "unknown";
  return claimOf(server)?.allocator ?? "unknown";
}
