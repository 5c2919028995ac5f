/**
 * What `console.log` and `inspect` of `node:util` show of memory, in every runtime.
 *
 * @module
 */
import type { Address } from "../../../ffi/types.ts";

/** The method that all runtimes ask for. */
export const INSPECT: unique symbol = Symbol.for("nodejs.util.inspect.custom");

/** An address as messages show it. */
export function hexadecimal(address: Address): string {
  return `0x${address.toString(16)}`;
}

/** One line: what it is, and what is known of it; what is `undefined` is left out. */
export function summarize(
  what: string,
  facts: Readonly<Record<string, string | number | undefined>>,
): string {
  const known = Object.entries(facts).filter(([, value]) => value !== undefined);
  return `${what} { ${known.map(([name, value]) => `${name}: ${value}`).join(", ")} }`;
}

/** An address as it is shown; `undefined` for what has ended: it may be somebody else's by now. */
export function shownAddress(address: Address, live: boolean): string | undefined {
  return live ? hexadecimal(address) : undefined;
}
