/**
 * Node says on stderr that its FFI and its type stripping are experimental. That is for authors of
 * programs; the operator who reads a report cannot act on it.
 *
 * @module
 */
import process from "node:process";

const NOISE = /^(FFI|Type Stripping) is an experimental feature/;

/** Prints this process's warnings but for the two of which an operator can make nothing. */
export function quietExperimentalWarnings(): void {
  const listeners = process.listeners("warning");
  process.removeAllListeners("warning");
  process.on("warning", (warning) => {
    if (warning.name === "ExperimentalWarning" && NOISE.test(warning.message)) return;
    for (const listener of listeners) listener(warning);
  });
}
