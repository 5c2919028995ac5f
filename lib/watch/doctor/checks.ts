/**
 * What is checked of a process from outside: the evidence that the facts about it give.
 *
 * @module
 */
import { basename } from "node:path";
import { type Binding, findForwarding } from "./bindings.ts";
import type { Facts } from "./facts.ts";
import { LEFT_TO_LIBC, LIBC_SYMBOL, MALLOC_SYMBOLS, OPERATORS } from "../../../ffi/overrides.ts";
import { claimOf, isNamed, type LoadedObject } from "./objects.ts";
import type { DoctorCheck, DoctorEvidence } from "./types.ts";

/** How many objects a sentence names. */
const MAX_NAMES = 6;

function item(
  check: DoctorCheck,
  outcome: DoctorEvidence["outcome"],
  detail: string,
): DoctorEvidence {
  return { scope: "process", check, outcome, detail };
}

/** Names of objects for a sentence. */
export function list(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMES).join(", ");
  return names.length > MAX_NAMES ? `${shown} and ${names.length - MAX_NAMES} more` : shown;
}

/** Whether the object that serves `malloc` is mapped, and its file still in place. */
export function mappingEvidence(
  { isStatic, executable }: Facts,
  server: LoadedObject | null,
): DoctorEvidence {
  if (isStatic) {
    return item("mapping", "pass", `"${executable}" is statically linked: nothing else is mapped`);
  }
  if (server === null) {
    return item("mapping", "unavailable", "no mapped file was found that serves malloc");
  }
  const since = server.deleted ? " as (deleted): the file was removed or replaced since" : "";
  return item("mapping", "pass", `"${server.path}" is mapped${since}`);
}

/** Which object defines `malloc` first. */
export function searchEvidence(
  { objects, order, isStatic }: Facts,
  server: LoadedObject | null,
): DoctorEvidence {
  if (isStatic) {
    return item("symbol", "unavailable", "a static program has no symbols to search");
  }
  const first = objects.find(({ exports }) => exports.has("malloc"));
  const before = objects.slice(0, first === undefined ? objects.length : objects.indexOf(first));
  const unread = before.filter(({ elf }) => elf === null);
  if (unread.length > 0) {
    const detail = `it is not known whether ${list(unread.map(quoted))} ` +
      `define${unread.length === 1 ? "s" : ""} malloc: ${unread[0]?.fault}`;
    return item("symbol", "unavailable", detail);
  }
  if (first === undefined) return item("symbol", "fail", "no mapped object defines malloc");
  const after = objects.filter((object) => object !== first && object.exports.has("malloc"));
  const ahead = after.length > 0 ? `, ahead of ${list(after.map(quoted))}` : "";
  const detail = `"${first.path}" is the first that defines malloc${ahead} (by ${order})`;
  return first === server
    ? item("symbol", "pass", detail)
    : item("symbol", "fail", `${detail}, but calls lead elsewhere`);
}

/** The symbol by which the object that serves `malloc` is known. */
export function claimEvidence({ isStatic }: Facts, server: LoadedObject | null): DoctorEvidence {
  if (isStatic || server === null) {
    return item("symbol", "unavailable", "there is no object to identify");
  }
  if (server.elf === null) {
    return item("symbol", "unavailable", `"${server.path}" cannot be identified: ${server.fault}`);
  }
  const claim = claimOf(server);
  return claim === null
    ? item("symbol", "fail", `"${server.path}" has no symbol by which offheap knows an allocator`)
    : item(
      "symbol",
      "pass",
      `"${server.path}" defines ${claim.symbol}, as ${claim.allocator} does`,
    );
}

/** Where calls of `malloc` lead, an item for each place; and those of its kin that lead elsewhere. */
export function bindingEvidence(facts: Facts, server: LoadedObject | null): DoctorEvidence[] {
  const { calls } = facts;
  if (typeof calls === "string") return [item("binding", "unavailable", calls)];
  const ofMalloc = calls.bindings.filter(({ symbol }) => symbol === "malloc");
  const evidence: DoctorEvidence[] = [];
  const bound = ofMalloc.filter(({ state }) => state === "bound");
  for (const place of new Set(bound.map(({ leadsTo }) => leadsTo))) {
    const slots = bound.filter(({ leadsTo }) => leadsTo === place);
    const detail = `malloc leads into "${place}" from ${describe(slots)}`;
    evidence.push(item("binding", place === server?.path ? "pass" : "fail", detail));
  }
  for (const [state, meaning] of OTHER_STATES) {
    const slots = ofMalloc.filter((binding) => binding.state === state);
    if (slots.length === 0) continue;
    evidence.push(item("binding", "unavailable", `${meaning}: ${describe(slots)}`));
  }
  if (evidence.length === 0) {
    evidence.push(item("binding", "unavailable", "no mapped object has a slot for malloc"));
  }
  const strays = calls.bindings.filter((binding) =>
    binding.symbol !== "malloc" && binding.state === "bound" && isStray(facts, server, binding)
  );
  for (const symbol of new Set(strays.map((binding) => binding.symbol))) {
    const slots = strays.filter((binding) => binding.symbol === symbol);
    const places = list([...new Set(slots.map(({ leadsTo }) => `"${leadsTo}"`))]);
    evidence.push(
      item("binding", "fail", `${symbol} leads into ${places} from ${describe(slots)}`),
    );
  }
  return evidence;
}

/** Whether a call does not reach the server; C++'s operators may go by way of libstdc++ and its like. */
function isStray(
  { objects }: Facts,
  server: LoadedObject | null,
  { symbol, leadsTo }: Binding,
): boolean {
  if (leadsTo === server?.path) return false;
  const object = objects.find(({ path }) => path === leadsTo);
  return !OPERATORS.includes(symbol) || object === undefined || object.exports.has("malloc");
}

/** Which objects define malloc's kin first: the server, or, of C++'s operators, one that calls it. */
export function entryEvidence(facts: Facts, server: LoadedObject | null): DoctorEvidence[] {
  if (server === null || facts.isStatic) return [];
  const { objects } = facts;
  // What was opened later comes after the dynamic linker in the list, and serves only itself.
  const linker = basename(facts.program.interpreter ?? "");
  const end = objects.findIndex((object) => isNamed(object, linker));
  const started = end < 0 ? objects : objects.slice(0, end);
  const elsewhere = [...OPERATORS, ...LEFT_TO_LIBC];
  const first = (name: string) =>
    (elsewhere.includes(name) ? started : objects).find(({ exports }) => exports.has(name));
  // What the program itself defines is its own matter, and so is what libstdc++ builds on it.
  const own = OPERATORS.some((name) => objects[0]?.exports.has(name));
  const names = [...MALLOC_SYMBOLS, ...LEFT_TO_LIBC, ...(own ? [] : OPERATORS)];
  const faults = names.filter((name) => name !== "malloc")
    .flatMap((name) => {
      const object = first(name);
      if (object === undefined || object === server) return [];
      if (LEFT_TO_LIBC.includes(name) && object.exports.has(LIBC_SYMBOL)) return [];
      const why = OPERATORS.includes(name) ? operatorFault(facts, server, object) : "";
      return why === null ? [] : [`"${object.path}" is the first that defines ${name}${why}`];
    });
  return faults.length > 0 ? [item("entries", "fail", list(faults))] : [
    item(
      "entries",
      "pass",
      `"${server.path}" is the first that defines malloc's other entry points, and C++'s operators ` +
        "are its own or call malloc",
    ),
  ];
}

/** What speaks against an object that defines C++'s operators; `null` when nothing does. */
function operatorFault(
  { calls, mappings, objects }: Facts,
  server: LoadedObject,
  object: LoadedObject,
): string | null {
  if (object.exports.has("malloc")) return ", and is another allocator";
  if (object.imports?.slots.some(({ symbol }) => symbol === "malloc") === false) {
    return ", and asks nobody for malloc";
  }
  if (typeof calls === "string" || object.imports === null) return null;
  try {
    const other = findForwarding(calls.memory, mappings, objects, object, server);
    return other === null ? null : `, and keeps the address of the malloc in "${other}"`;
  } catch (error) {
    // What cannot be read speaks neither for nor against it.
    if (error instanceof RangeError) return null;
    throw error;
  }
}

const OTHER_STATES: readonly (readonly [Binding["state"], string])[] = [
  ["unbound", "not bound yet, as malloc was not called from there"],
  ["stub", "leads to the program's own stub for malloc, which proves nothing"],
  ["unreadable", "could not be read"],
];

function describe(bindings: readonly Binding[]): string {
  return list(bindings.map(({ from, kind }) => `"${from.path}" (${kind})`));
}

/** Whether the object passes `malloc` on. */
export function forwardingEvidence(facts: Facts, server: LoadedObject | null): DoctorEvidence[] {
  const { calls, mappings, objects } = facts;
  if (typeof calls === "string" || server === null || server.imports === null) return [];
  const others = objects.filter((object) => object !== server && object.exports.has("malloc"));
  if (others.length === 0) return [];
  try {
    const other = findForwarding(calls.memory, mappings, objects, server, server);
    const detail = other === null
      ? `"${server.path}" keeps no address of another object's malloc`
      : `"${server.path}" keeps the address of the malloc in "${other}": it passes calls on`;
    return [item("forwarding", other === null ? "pass" : "fail", detail)];
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return [item("forwarding", "unavailable", error.message)];
  }
}

function quoted({ path }: LoadedObject): string {
  return `"${path}"`;
}
