/**
 * Whether offheap's agent runs in this process.
 *
 * @module
 */
import { ffi } from "../../ffi/mod.ts";
import { SHIM_SYMBOLS } from "../../ffi/symbols/shim.ts";
import { shimPath } from "./controls.ts";

/** The agent of this process. */
export interface OwnAgent {
  /** Whether it runs. */
  readonly running: boolean;
  /** Whether it gives memory back at rest. */
  readonly atRest: boolean;
  /** Why it does not, or does not run; `null` when it does, and when it was not to (`idleTrim: 0`). */
  readonly reason: string | null;
}

const REASON_BYTES = 256;

/** What the shim answers where memory is given back at rest. */
const AT_REST = 1;

/** The agent of this process; `null` where it was to have none. */
export function ownAgent(): OwnAgent | null {
  const shim = shimPath();
  if (shim === null) return null;
  const { offheap_agent } = SHIM_SYMBOLS;
  const { calls, close } = ffi().open(shim, { offheap_agent });
  try {
    const bytes = new Uint8Array(REASON_BYTES);
    const answer = calls.offheap_agent(bytes, REASON_BYTES);
    if (answer < 0) return null;
    const reason = new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
    return {
      running: answer > 0,
      atRest: answer === AT_REST,
      reason: reason === "" ? null : reason,
    };
  } finally {
    close();
  }
}
