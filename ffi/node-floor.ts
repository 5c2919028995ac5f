/**
 * The oldest Node that offheap runs in. This module, and what it imports, has to load in every
 * older one: it is where they are refused.
 *
 * @module
 */
import process from "node:process";
import { UnsupportedRuntimeError } from "./errors.ts";

/**
 * 22 has `ArrayBuffer.prototype.transfer`, on which freeing safely rests, 22.3 has
 * `process.getBuiltinModule`, and 22.12 lets `require` load ES modules.
 */
const OLDEST = { major: 22, minor: 12 } as const;

/**
 * Why a version of Node cannot be used; `null` for one that can.
 *
 * @param action What cannot be done, as it completes the sentence "Cannot …".
 * @param version The version; without one, Node's that runs this, or the one that another runtime
 * says it is like.
 */
export function nodeRefusal(
  action: string,
  version: string = process.versions.node,
): UnsupportedRuntimeError | null {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > OLDEST.major || (major === OLDEST.major && minor >= OLDEST.minor)) return null;
  return new UnsupportedRuntimeError(
    `Cannot ${action} in Node ${version}: offheap needs Node ${OLDEST.major}.${OLDEST.minor} or ` +
      "newer.",
  );
}
