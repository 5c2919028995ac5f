/**
 * Calling the exported functions in a child process.
 *
 * @module
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type ChildOptions, FIXTURES, runChild, runtimeCommand } from "./runtime.ts";

/** A call of an exported function: its name, and its arguments. */
export type ApiCall = readonly [name: string, ...args: unknown[]];

/** How a call ended. */
export interface ApiOutcome<V> {
  /** What it returned. */
  readonly value?: V;
  /** What it threw. */
  readonly error?: {
    readonly name: string;
    readonly message: string;
    readonly code?: string;
    readonly flag?: string;
    readonly flags?: readonly string[];
  };
}

/** The program that makes the calls. */
export const API_CHILD: string = join(FIXTURES, "api-child.ts");

/** Runs a command that ends in {@linkcode API_CHILD}, and gives the outcome of each call. */
export async function callApi<V = unknown>(
  calls: readonly ApiCall[],
  options: ChildOptions = {},
  command: readonly [string, ...string[]] = runtimeCommand(API_CHILD),
): Promise<ApiOutcome<V>[]> {
  const { status, signal, stdout, stderr } = await runChild(
    [...command, JSON.stringify(calls)],
    options,
  );
  assert.equal(status, 0, `the child ended with ${signal ?? status}: ${stderr}`);
  return JSON.parse(stdout) as ApiOutcome<V>[];
}

/** The same for one call, which must return. */
export async function callApiOnce<V>(call: ApiCall, options: ChildOptions = {}): Promise<V> {
  const [outcome] = await callApi<V>([call], options);
  assert.ok(outcome?.value !== undefined, `${call[0]} threw: ${outcome?.error?.message}`);
  return outcome.value;
}
