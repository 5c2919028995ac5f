/**
 * What an operator can do about what was found.
 *
 * @module
 */
import { findAllocator, isLoadable } from "../../allocators/mod.ts";
import { startAfter } from "../../run/identity-rules.ts";
import { list } from "./checks.ts";
import type { Facts } from "./facts.ts";
import { claimOf, type LoadedObject } from "./objects.ts";
import type { LostPreload } from "./preload.ts";
import type { DoctorEvidence, ExaminedAllocator } from "./types.ts";

/** What the advice is drawn from. */
export interface Findings {
  /** What was read. */
  readonly facts: Facts;
  /** The object that serves `malloc`. */
  readonly server: LoadedObject | null;
  /** The verdict. */
  readonly allocator: ExaminedAllocator;
  /** The names in `LD_PRELOAD` that did not take. */
  readonly lost: readonly LostPreload[];
  /** The evidence. */
  readonly evidence: readonly DoctorEvidence[];
  /** The processes that it started. */
  readonly children: readonly number[];
}

const LONGEST_COMMAND = 300;

/** Each rule gives the sentences that its case calls for. */
const RULES: readonly ((findings: Findings) => readonly string[])[] = [
  ({ lost }) =>
    lost.map(({ name, reason }) =>
      `LD_PRELOAD names "${name}", which is not in the process: ${reason}. Start it by ` +
      "`offheap run`, which checks this first."
    ),
  ({ facts, allocator }) =>
    allocator === "static"
      ? [
        `"${facts.executable}" is statically linked, and no allocator can be preloaded into it. ` +
        `Use a dynamically linked build of it${startAfter(facts.program)}`,
      ]
      : [],
  ({ facts, allocator }) =>
    findAllocator(allocator)?.library === null
      ? [
        `It runs under ${allocator}'s malloc. To run it under offheap's allocator, start it by ` +
        `\`offheap run -- ${quoteCommand(facts.command)}\`.`,
      ]
      : [],
  ({ evidence, allocator }) =>
    allocator === "unknown"
      ? [
        "Do not count on any allocator here: " +
        `${evidence.find(({ outcome }) => outcome === "fail")?.detail ?? "none was recognised"}.`,
      ]
      : [],
  ({ facts, server }) =>
    facts.objects.filter((object) => object !== server).flatMap((object) => {
      const claim = claimOf(object);
      if (claim === null || !isLoadable(claim.allocator)) return [];
      const why = object.exports.has("malloc")
        ? "another object comes first"
        : "it does not define malloc";
      return [
        `"${object.path}" defines ${claim.symbol}, as ${claim.allocator} does, but does not serve ` +
        `malloc: ${why}.`,
      ];
    }),
  ({ server }) =>
    server?.deleted === true
      ? [`"${server.path}" was removed or replaced since. Start the process again to use the new.`]
      : [],
  ({ facts }) => {
    const [program] = facts.objects;
    const asks = program?.imports?.slots.some(({ symbol }) => symbol === "malloc");
    const own = asks === false && program?.exports.has("malloc") === false;
    return own && !facts.isStatic
      ? [
        `"${program.path}" itself does not ask the dynamic linker for malloc: what it does not get ` +
        "from its libraries comes from an allocator of its own, which a preload does not replace.",
      ]
      : [];
  },
  ({ facts }) =>
    typeof facts.calls === "string" && !facts.isStatic
      ? [`The verdict rests on symbols alone: ${facts.calls.replace(/\.$/, "")}.`]
      : [],
  ({ children }) =>
    children.length > 0
      ? [
        `It started other processes (${
          list(children.map(String))
        }), and each has an allocator of ` +
        "its own: examine them by their process IDs.",
      ]
      : [],
];

/** The sentences for what was found. */
export function advise(findings: Findings): string[] {
  return RULES.flatMap((rule) => rule(findings));
}

/** Words as a shell takes them. */
export function quoteWords(words: readonly string[]): string {
  return words
    .map((word) => /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)
    .join(" ");
}

/** A command as a shell takes it; a word in its place when it would be too long to read. */
export function quoteCommand(command: readonly string[]): string {
  const line = quoteWords(command);
  return line === "" || line.length > LONGEST_COMMAND ? "COMMAND" : line;
}
